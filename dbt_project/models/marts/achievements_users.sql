with listed as (
    select * from {{ ref('stg_fortytwo__achievements_users') }}
),

achievements as (
    select * from {{ ref('achievements') }}
),

users as (
    select * from {{ ref('users') }}
),

kept as (
    select
        listed.id,
        listed.achievement_id,
        listed.user_id,
        listed.nbr_of_success,
        listed.url,
        listed.created_at,
        listed.updated_at
    from listed
    inner join achievements on listed.achievement_id = achievements.id
    inner join users on listed.user_id = users.id
)

select * from kept
