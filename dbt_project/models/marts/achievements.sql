with achievements as (
    select * from {{ ref('stg_fortytwo__achievements') }}
),

classified as (
    select * from {{ ref('int_achievements__classified') }}
),

accepted as (
    select
        achievements.id,
        achievements.name,
        achievements.description,
        achievements.tier,
        achievements.kind,
        achievements.visible,
        achievements.image,
        achievements.nbr_of_success,
        achievements.users_url,
        achievements.parent_id,
        achievements.parent,
        achievements.achievements,
        achievements.title
    from achievements
    inner join classified on achievements.id = classified.id
    where classified.rule is null
)

select * from accepted
