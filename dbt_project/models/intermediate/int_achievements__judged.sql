with achievements as (
    select * from {{ ref('stg_fortytwo__achievements') }}
),

campus_achievements as (
    select * from {{ ref('int_campus_achievements__resolved') }}
),

active_campuses as (
    select * from {{ ref('int_campuses__active') }}
),

at_an_active_campus as (
    select distinct campus_achievements.achievement_id
    from campus_achievements
    inner join active_campuses on campus_achievements.campus_id = active_campuses.id
),

judged as (
    select
        achievements.id,
        case
            when at_an_active_campus.achievement_id is null then 'achievement_without_kept_campus'
        end as rule
    from achievements
    left join at_an_active_campus on achievements.id = at_an_active_campus.achievement_id
)

select * from judged
