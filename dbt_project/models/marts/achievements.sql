with listed_achievements as (
    select * from {{ ref('stg_fortytwo__achievements') }}
),

offered_achievements as (
    select * from {{ ref('int_achievements__offered') }}
),

kept as (
    select
        listed_achievements.id,
        listed_achievements.name,
        listed_achievements.description,
        listed_achievements.tier,
        listed_achievements.kind,
        listed_achievements.visible,
        listed_achievements.image,
        listed_achievements.nbr_of_success,
        listed_achievements.users_url,
        listed_achievements.parent_id,
        listed_achievements.parent,
        listed_achievements.achievements,
        listed_achievements.title
    from listed_achievements
    inner join offered_achievements on listed_achievements.id = offered_achievements.id
)

select * from kept
