with all_cursus as (
    select * from {{ ref('stg_fortytwo__cursus') }}
),

anchor as (
    select * from {{ ref('int_cursus__anchor') }}
),

mirrored as (
    select
        all_cursus.id,
        all_cursus.name,
        all_cursus.slug,
        all_cursus.kind,
        all_cursus.created_at
    from all_cursus
    inner join anchor on all_cursus.id = anchor.id
)

select * from mirrored
