with classified as (
    select * from {{ ref('int_achievements_users__classified') }}
),

accepted as (
    select
        id,
        achievement_id,
        user_id,
        nbr_of_success,
        url,
        created_at,
        updated_at
    from classified
    where rule is null
)

select * from accepted
