with achievement_campuses as (
    select * from {{ ref('stg_fortytwo__achievement_campuses') }}
),

campus_achievements as (
    select * from {{ ref('stg_fortytwo__campus_achievements') }}
),

campuses as (
    select * from {{ ref('stg_fortytwo__campuses') }}
),

-- An achievement names its campuses. A name says which one only while a single listed campus,
-- kept or not, bears it.
unshared_names as (
    select
        name,
        min(id) as campus_id
    from campuses
    group by name
    having count(*) = 1
),

by_name as (
    select
        unshared_names.campus_id,
        achievement_campuses.achievement_id
    from achievement_campuses
    inner join unshared_names on achievement_campuses.campus_name = unshared_names.name
),

-- The campuses that share a name were asked one by one.
by_campus as (
    select
        campus_id,
        achievement_id
    from campus_achievements
),

resolved as (
    select * from by_name
    union distinct
    select * from by_campus
)

select * from resolved
