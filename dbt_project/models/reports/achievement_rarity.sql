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

campuses as (
    select * from {{ published('campuses') }}
),

relation_reads as (
    select * from {{ ref('stg_ops__relation_reads') }}
    where table_name = 'achievements_users'
),

coverage as (
    select * from {{ ref('int_relations__coverage') }}
    where table_name = 'achievements_users'
),

holders as (
    select
        users.campus_id,
        achievements_users.achievement_id,
        count(distinct users.id) as holders
    from achievements_users
    inner join users on achievements_users.user_id = users.id
    inner join relation_reads on users.id = relation_reads.user_id
    group by users.campus_id, achievements_users.achievement_id
),

-- An achievement is only rare among those who can earn it: at the campuses that offer it.
rarity as (
    select
        achievements.id as achievement_id,
        achievements.name as achievement_name,
        achievements.kind,
        achievements.tier,
        count(*) over (partition by achievements.id) as campuses,
        coverage.students,
        {{ where_read('coalesce(holders.holders, 0)') }} as holders,
        {{ where_read(share('coalesce(holders.holders, 0)', 'coverage.students_read')) }}
            as share_of_students,
        campuses.id as campus_id,
        campuses.name as campus_name,
        coverage.students_read
    from campus_achievements
    inner join achievements on campus_achievements.achievement_id = achievements.id
    inner join campuses on campus_achievements.campus_id = campuses.id
    inner join coverage on campuses.id = coverage.campus_id
    left join holders
        on
            campus_achievements.campus_id = holders.campus_id
            and campus_achievements.achievement_id = holders.achievement_id
)

select * from rarity
