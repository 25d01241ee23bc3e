with cursus_users_history as (
    select * from {{ ref('cursus_users_history') }}
),

users as (
    select * from {{ published('users') }}
),

cursus_users_by_day as (
    {{ versions_by_day('cursus_users_history', 90) }}
),

levels as (
    select
        cursus_users_by_day.day,
        cursus_users_by_day.user_id,
        users.login,
        cursus_users_by_day.level,
        cursus_users_by_day.grade,
        cursus_users_by_day.blackholed_at,
        cursus_users_by_day.id as cursus_user_id
    from cursus_users_by_day
    inner join users on cursus_users_by_day.user_id = users.id
)

select * from levels
