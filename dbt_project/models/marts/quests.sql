with classified as (
    select * from {{ ref('int_quests__classified') }}
),

accepted as (
    select
        id,
        name,
        slug,
        kind,
        internal_name,
        cursus_id,
        campus_id,
        grade_id,
        position,
        created_at,
        updated_at
    from classified
    where rule is null
)

select * from accepted
