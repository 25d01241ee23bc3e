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

relation_reads as (
    select * from {{ ref('stg_ops__relation_reads') }}
    where table_name = 'projects_users'
),

coverage as (
    select * from {{ ref('int_relations__coverage') }}
    where table_name = 'projects_users'
),

registrations as (
    select
        projects_users.project_id,
        users.campus_id,
        projects_users.user_id,
        projects_users.occurrence,
        projects_users.final_mark,
        coalesce(projects_users.marked, false) as is_marked,
        coalesce(projects_users.marked and projects_users.validated, false) as is_validated,
        -- The first attempt is occurrence 0.
        coalesce(projects_users.occurrence, 0) = 0 as is_first_try,
        {{ seconds_between('projects_users.created_at', 'projects_users.marked_at') }}
        / 86400 as days_to_mark
    from projects_users
    inner join users on projects_users.user_id = users.id
    inner join relation_reads on users.id = relation_reads.user_id
),

outcomes as (
    select
        project_id,
        campus_id,
        count(distinct user_id) as students,
        sum(coalesce(occurrence, 0) + 1)::bigint as attempts,
        count(*) filter (where is_marked) as marked,
        count(*) filter (where is_validated) as validated,
        count(*) filter (where is_validated and is_first_try) as validated_first_try,
        {% for rows, name in [
            ('marked', ''), ('validated', '_validated'), ('marked and is_first_try', '_first_try')
        ] %}
            avg(final_mark) filter (where is_{{ rows }}) as average_mark{{ name }},
            percentile_cont(0.5) within group (order by days_to_mark)
            filter (where is_{{ rows }})
                as median_days{{ name }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from registrations
    group by project_id, campus_id
),

named as (
    select
        outcomes.project_id,
        projects.name as project_name,
        outcomes.campus_id,
        campuses.name as campus_name,
        {{ where_read('outcomes.students') }} as students,
        {{ where_read('outcomes.attempts') }} as attempts,
        {{ where_read('outcomes.marked') }} as marked,
        {{ where_read('outcomes.validated') }} as validated,
        {{ where_read(share('outcomes.validated', 'outcomes.marked')) }} as success_rate,
        {{ where_read('round(outcomes.average_mark, 1)') }} as average_mark,
        {{ where_read('round(outcomes.median_days::numeric(28, 10), 1)') }} as median_days,
        coverage.students as students_at_campus,
        coverage.students_read,
        {{ where_read('outcomes.validated_first_try') }} as validated_first_try,
        {{ where_read(share('outcomes.validated_first_try', 'outcomes.marked')) }}
            as first_try_rate,
        {% for column in [
            'average_mark_validated', 'median_days_validated',
            'average_mark_first_try', 'median_days_first_try',
        ] %}
            {{ where_read('round(outcomes.' ~ column ~ '::numeric(28, 10), 1)') }}
                as {{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from outcomes
    inner join projects on outcomes.project_id = projects.id
    inner join campuses on outcomes.campus_id = campuses.id
    inner join coverage on outcomes.campus_id = coverage.campus_id
)

select * from named
