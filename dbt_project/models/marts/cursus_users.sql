with classified as (
    select * from {{ ref('int_cursus_users__classified') }}
),

accepted as (
    select
        id,
        user_id,
        cursus_id,
        begin_at,
        end_at,
        grade,
        level,
        skills,
        has_coalition,
        blackholed_at,
        created_at,
        updated_at
    from classified
    where rule is null
)

select * from accepted
