with achievements as (
    select * from {{ ref('stg_fortytwo__achievements') }}
),

campus_achievements as (
    select * from {{ ref('int_campus_achievements__resolved') }}
),

accepted_campuses as (
    select id
    from {{ ref('int_campuses__classified') }}
    where rule is null
),

at_an_accepted_campus as (
    select distinct campus_achievements.achievement_id
    from campus_achievements
    inner join accepted_campuses on campus_achievements.campus_id = accepted_campuses.id
),

classified as (
    select
        achievements.id,
        {{ json_object({'id': 'achievements.id'}) }} as key,
        case
            when at_an_accepted_campus.achievement_id is null
                then 'achievement_without_kept_campus'
        end as rule
    from achievements
    left join at_an_accepted_campus on achievements.id = at_an_accepted_campus.achievement_id
)

select * from classified
