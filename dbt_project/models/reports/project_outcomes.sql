with projects_users as (
    select * from {{ published('projects_users') }}
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

registrations as (
    select
        projects_users.project_id,
        users.campus_id,
        projects_users.user_id,
        projects_users.occurrence,
        projects_users.validated,
        projects_users.final_mark,
        coalesce(projects_users.marked, false) as is_marked,
        extract(epoch from projects_users.marked_at - projects_users.created_at)
        / 86400 as days_to_mark
    from projects_users
    inner join users on projects_users.user_id = users.id
),

outcomes as (
    select
        project_id,
        campus_id,
        count(distinct user_id) as students,
        -- The first attempt is occurrence 0.
        sum(coalesce(occurrence, 0) + 1)::bigint as attempts,
        count(*) filter (where is_marked) as marked,
        count(*) filter (where is_marked and validated) as validated,
        avg(final_mark) filter (where is_marked) as average_mark,
        percentile_cont(0.5) within group (order by days_to_mark)
        filter (where is_marked) as median_days
    from registrations
    group by project_id, campus_id
),

named as (
    select
        outcomes.project_id,
        projects.name as project_name,
        outcomes.campus_id,
        campuses.name as campus_name,
        outcomes.students,
        outcomes.attempts,
        outcomes.marked,
        outcomes.validated,
        round(outcomes.validated::numeric / nullif(outcomes.marked, 0), 3) as success_rate,
        round(outcomes.average_mark, 1) as average_mark,
        round(outcomes.median_days::numeric(28, 10), 1) as median_days
    from outcomes
    inner join projects on outcomes.project_id = projects.id
    inner join campuses on outcomes.campus_id = campuses.id
)

select * from named
