with achievements_users as (
    select * from {{ ref('stg_fortytwo__achievements_users') }}
),

accepted_achievements as (
    select id
    from {{ ref('int_achievements__classified') }}
    where rule is null
),

accepted_users as (
    select id
    from {{ ref('int_users__classified') }}
    where rule is null
),

classified as (
    select
        achievements_users.*,
        {{ json_object({'id': 'achievements_users.id'}) }} as key,
        case
            when accepted_achievements.id is null then 'achievements_user_achievement_not_kept'
            when accepted_users.id is null then 'achievements_user_user_not_kept'
        end as rule
    from achievements_users
    left join accepted_achievements on achievements_users.achievement_id = accepted_achievements.id
    left join accepted_users on achievements_users.user_id = accepted_users.id
)

select * from classified
