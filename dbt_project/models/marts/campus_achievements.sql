with offers as (
    select * from {{ ref('int_campus_achievements__resolved') }}
),

campuses as (
    select * from {{ ref('campuses') }}
),

achievements as (
    select * from {{ ref('achievements') }}
),

kept as (
    select
        offers.campus_id,
        offers.achievement_id
    from offers
    inner join campuses on offers.campus_id = campuses.id
    inner join achievements on offers.achievement_id = achievements.id
)

select * from kept
