with classified as (
    select * from {{ ref('int_campus_achievements__classified') }}
),

accepted as (
    select
        campus_id,
        achievement_id
    from classified
    where rule is null
)

select * from accepted
