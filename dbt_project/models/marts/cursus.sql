with cursus as (
    select * from {{ ref('stg_fortytwo__cursus') }}
),

classified as (
    select * from {{ ref('int_cursus__classified') }}
),

accepted as (
    select
        cursus.id,
        cursus.name,
        cursus.slug,
        cursus.kind,
        cursus.created_at
    from cursus
    inner join classified on cursus.id = classified.id
    where classified.rule is null
)

select * from accepted
