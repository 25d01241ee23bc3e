with achievement_campuses as (
    select * from {{ ref('stg_fortytwo__achievement_campuses') }}
),

campuses as (
    select * from {{ ref('stg_fortytwo__campuses') }}
),

campus_achievements as (
    select * from {{ ref('int_campus_achievements__resolved') }}
),

accepted_campuses as (
    select id
    from {{ ref('int_campuses__classified') }}
    where rule is null
),

accepted_achievements as (
    select id
    from {{ ref('int_achievements__classified') }}
    where rule is null
),

pairs as (
    select
        campus_achievements.campus_id,
        campus_achievements.achievement_id,
        {{ json_object({
            'campus_id': 'campus_achievements.campus_id',
            'achievement_id': 'campus_achievements.achievement_id',
        }) }} as key,
        case
            when accepted_campuses.id is null then 'campus_achievement_campus_not_kept'
            when accepted_achievements.id is null then 'campus_achievement_achievement_gone'
        end as rule
    from campus_achievements
    left join accepted_campuses on campus_achievements.campus_id = accepted_campuses.id
    left join accepted_achievements
        on campus_achievements.achievement_id = accepted_achievements.id
),

-- Names that led to no pair: no listed campus bears them, or several do and none of those
-- campuses has said that it offers the achievement.
unresolved_names as (
    select
        achievement_campuses.achievement_id,
        achievement_campuses.campus_name,
        count(campuses.id) as campuses_of_that_name
    from achievement_campuses
    left join campuses on achievement_campuses.campus_name = campuses.name
    left join campus_achievements
        on
            achievement_campuses.achievement_id = campus_achievements.achievement_id
            and campuses.id = campus_achievements.campus_id
    group by achievement_campuses.achievement_id, achievement_campuses.campus_name
    having count(campus_achievements.campus_id) = 0
),

names_without_a_pair as (
    select
        cast(null as bigint) as campus_id,
        achievement_id,
        {{ json_object({
            'achievement_id': 'achievement_id',
            'campus_name': 'campus_name',
        }) }} as key,
        case
            when campuses_of_that_name = 0 then 'campus_achievement_campus_not_listed'
            else 'campus_achievement_campus_name_shared'
        end as rule
    from unresolved_names
),

classified as (
    select * from pairs
    union all
    select * from names_without_a_pair
)

select * from classified
