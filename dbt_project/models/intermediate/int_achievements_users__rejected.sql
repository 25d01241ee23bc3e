with achievements_users as (
    select * from {{ ref('stg_fortytwo__achievements_users') }}
),

kept_achievements as (
    select * from {{ ref('int_achievements__offered') }}
),

kept_users as (
    select * from {{ ref('int_users__students') }}
),

rejected as (
    select
        {{ json_object({'id': 'achievements_users.id'}) }} as key,
        case
            when kept_achievements.id is null then 'achievements_user_achievement_not_kept'
            else 'achievements_user_user_not_kept'
        end as rule
    from achievements_users
    left join kept_achievements on achievements_users.achievement_id = kept_achievements.id
    left join kept_users on achievements_users.user_id = kept_users.id
    where kept_achievements.id is null or kept_users.id is null
)

select * from rejected
