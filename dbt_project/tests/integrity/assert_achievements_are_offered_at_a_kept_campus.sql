/*
What it checks: rule 5. Each achievement has a kept campus in campus_achievements.
When it matters: an achievement that no kept campus offers cannot be earned by a mirrored student.
How to resolve: look the achievement up in int_achievements__classified and
int_campus_achievements__resolved.
*/
with achievements as (
    select * from {{ ref('achievements') }}
),

campus_achievements as (
    select * from {{ ref('campus_achievements') }}
),

offered_nowhere as (
    select achievements.id
    from achievements
    left join campus_achievements on achievements.id = campus_achievements.achievement_id
    where campus_achievements.achievement_id is null
)

select * from offered_nowhere
