with quests_users as (
    select * from {{ published('quests_users') }}
),

quests as (
    select * from {{ published('quests') }}
),

cursus_users as (
    select * from {{ published('cursus_users') }}
),

users as (
    select * from {{ published('users') }}
),

campuses as (
    select * from {{ ref('int_campuses__local') }}
),

relation_reads as (
    select * from {{ ref('stg_ops__relation_reads') }}
    where table_name = 'quests_users'
),

coverage as (
    select * from {{ ref('int_relations__coverage') }}
    where table_name = 'quests_users'
),

reached as (
    select
        quests_users.quest_id,
        quests.name as quest_name,
        quests.position,
        campuses.id as campus_id,
        campuses.name as campus_name,
        quests_users.user_id,
        date_trunc('month', quests_users.validated_at at time zone campuses.time_zone)::date
            as month,
        {{ seconds_between('cursus_users.begin_at', 'quests_users.validated_at') }} / 86400 as days,
        row_number() over (
            partition by quests_users.user_id, quests_users.quest_id, quests_users.validated_at
            order by cursus_users.begin_at desc nulls last
        ) as enrolment
    from quests_users
    inner join quests on quests_users.quest_id = quests.id
    inner join users on quests_users.user_id = users.id
    inner join relation_reads on users.id = relation_reads.user_id
    inner join campuses on users.campus_id = campuses.id
    left join cursus_users
        on
            quests_users.user_id = cursus_users.user_id
            and quests.cursus_id = cursus_users.cursus_id
            and quests_users.validated_at >= cursus_users.begin_at
    where quests_users.validated_at is not null
),

milestones as (
    select
        quest_id,
        quest_name,
        position,
        campus_id,
        campus_name,
        month,
        count(distinct user_id) as reached_by,
        percentile_cont(0.5) within group (order by days) as median_days
    from reached
    -- who came back has two enrolments: the one that was running counts
    where enrolment = 1
    group by quest_id, quest_name, position, campus_id, campus_name, month
),

covered as (
    select
        milestones.quest_id,
        milestones.quest_name,
        milestones.position,
        milestones.campus_id,
        milestones.campus_name,
        milestones.month,
        {{ where_read('milestones.reached_by') }} as reached_by,
        {{ where_read('round(milestones.median_days::numeric(28, 10), 1)') }} as median_days,
        coverage.students,
        coverage.students_read
    from milestones
    inner join coverage on milestones.campus_id = coverage.campus_id
)

select * from covered
