with teams as (
    select * from {{ published('teams') }}
),

teams_users as (
    select * from {{ published('teams_users') }}
),

projects as (
    select * from {{ published('projects') }}
),

users as (
    select * from {{ published('users') }}
),

campuses as (
    select * from {{ published('campuses') }}
),

relation_reads as (
    select * from {{ ref('stg_ops__relation_reads') }}
    where table_name = 'projects_users'
),

coverage as (
    select * from {{ ref('int_relations__coverage') }}
    where table_name = 'projects_users'
),

-- A team counts once at each campus of its members.
closed_teams as (
    select distinct
        teams.id,
        teams.project_id,
        users.campus_id,
        {{ seconds_between('teams.created_at', 'teams.closed_at') }} / 86400 as days
    from teams
    inner join teams_users on teams.id = teams_users.team_id
    inner join users on teams_users.user_id = users.id
    inner join relation_reads on users.id = relation_reads.user_id
    where teams.closed_at is not null
),

times as (
    select
        project_id,
        campus_id,
        count(*) as teams,
        percentile_cont(0.5) within group (order by days) as median_days
    from closed_teams
    group by project_id, campus_id
),

named as (
    select
        times.project_id,
        projects.name as project_name,
        times.campus_id,
        campuses.name as campus_name,
        {{ where_read('times.teams') }} as teams,
        {{ where_read('round(times.median_days::numeric(28, 10), 1)') }} as median_days,
        coverage.students,
        coverage.students_read
    from times
    inner join projects on times.project_id = projects.id
    inner join campuses on times.campus_id = campuses.id
    inner join coverage on times.campus_id = coverage.campus_id
)

select * from named
