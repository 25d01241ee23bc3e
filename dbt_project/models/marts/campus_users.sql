with classified as (
    select * from {{ ref('int_campus_users__classified') }}
),

accepted as (
    select
        id,
        user_id,
        campus_id,
        is_primary,
        created_at,
        updated_at
    from classified
    where rule is null
)

select * from accepted
