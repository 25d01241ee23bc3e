with achievements as (
    select * from {{ published('achievements') }}
),

achievements_users as (
    select * from {{ published('achievements_users') }}
),

campus_achievements as (
    select * from {{ published('campus_achievements') }}
),

users as (
    select * from {{ published('users') }}
),

students_by_campus as (
    select
        campus_id,
        count(*) as students
    from users
    group by campus_id
),

-- An achievement is only rare among those who can earn it: the students of the campuses with it.
offers as (
    select
        campus_achievements.achievement_id,
        count(*) as campuses,
        sum(coalesce(students_by_campus.students, 0))::bigint as students
    from campus_achievements
    left join students_by_campus on campus_achievements.campus_id = students_by_campus.campus_id
    group by campus_achievements.achievement_id
),

holders as (
    select
        achievements_users.achievement_id,
        count(distinct users.id) as holders,
        count(distinct users.id)
        filter (where campus_achievements.campus_id is not null) as holders_where_offered
    from achievements_users
    inner join users on achievements_users.user_id = users.id
    left join campus_achievements
        on
            achievements_users.achievement_id = campus_achievements.achievement_id
            and users.campus_id = campus_achievements.campus_id
    group by achievements_users.achievement_id
),

rarity as (
    select
        achievements.id as achievement_id,
        achievements.name as achievement_name,
        achievements.kind,
        achievements.tier,
        offers.campuses,
        offers.students,
        coalesce(holders.holders, 0) as holders,
        round(
            coalesce(holders.holders_where_offered, 0)::numeric / nullif(offers.students, 0), 5
        ) as share_of_students
    from achievements
    inner join offers on achievements.id = offers.achievement_id
    left join holders on achievements.id = holders.achievement_id
)

select * from rarity
