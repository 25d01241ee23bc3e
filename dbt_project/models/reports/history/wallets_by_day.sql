with users_history as (
    select * from {{ ref('users_history') }}
),

users as (
    select * from {{ published('users') }}
),

users_by_day as (
    {{ versions_by_day('users_history', 90) }}
),

wallets as (
    select
        users_by_day.day,
        users_by_day.id as user_id,
        users.login,
        users_by_day.campus_id,
        users_by_day.wallet,
        users_by_day.correction_point
    from users_by_day
    inner join users on users_by_day.id = users.id
)

select * from wallets
