"""The questions of `make status` to the schema `ops`."""

from __future__ import annotations

KINDS = ("inserted", "updated", "deleted")
# where each table of mirror comes from
RAW_TABLE = {
    "cursus": "cursus",
    "campuses": "campus",
    "projects": "projects",
    "achievements": "achievements",
    "coalitions": "coalitions",
    "campus_projects": "projects",
    "campus_achievements": "achievements",
    "project_sessions": "projects",
    "users": "users",
    "cursus_users": "cursus_users",
    "projects_users": "projects_users",
    "achievements_users": "achievements_users",
    "coalitions_users": "coalitions_users",
}
DATABASE = """
select
    current_database() as name,
    current_setting('server_version') as version,
    pg_database_size(current_database()) as bytes
"""
RUNNING = """
select application_name
from pg_locks join pg_stat_activity using (pid)
where
    locktype = 'advisory' and granted and classid = %(class)s and objid = %(object)s
    and pg_locks.database = (select oid from pg_database where datname = current_database())
"""
RUNS = """
select distinct on (mode)
    mode, run_id, status, started_at, finished_at, calls, message,
    extract(epoch from finished_at - started_at)::float as seconds
from ops.runs
order by mode, started_at desc
"""
LAST_GOOD = """
select mode, max(coalesce(finished_at, started_at)) as finished_at
from ops.runs
where
    status in ('published', 'unchanged')
    or (mode = 'backfill' and status in ('loaded', 'stopped'))
    or (status = 'loaded' and exists (  -- `make extract && dbt build`
        select from ops.runs as build where build.published_at > runs.finished_at
    ))
group by mode
"""
PUBLISHED = """
select published_at, rows, changes, rejected
from ops.runs where published_at is not null
order by published_at desc limit 1
"""
READ = "select resource, max(finished_at) as read_at from ops.listings group by resource"
CHANGED = (
    "select table_name, max(changed_at) as changed_at from ops.change_sets group by table_name"
)
CALLS = """
select
    count(*) filter (where called_at > now() - interval '1 hour') as hour,
    count(*) as day,
    count(*) filter (where error <> '') as day_failed,
    (array_agg(quota_left order by called_at desc) filter (where quota_left is not null))[1]
        as quota_left,
    max(called_at) as last_at
from ops.api_calls
where called_at > now() - interval '24 hours'
"""
# the pace is that of the last day, or of the time since the first batch of it
BACKFILL = """
with students as (
    select id from raw.users where kind = 'student' and alumni is not true
),
resources (resource) as (
    values ('projects_users'), ('achievements_users'), ('coalitions_users')
),
counted as (
    select
        resources.resource,
        count(*) as students,
        count(*) filter (where reads.user_id is not null and not reads.stale) as read,
        count(*) filter (where reads.stale) as stale,
        min(reads.read_at) as oldest,
        count(*) filter (where reads.read_at > now() - interval '24 hours') as day,
        extract(epoch from now() - min(reads.read_at) filter (
            where reads.read_at > now() - interval '24 hours'
        )) / 3600.0 as hours
    from resources
    cross join students
    left join ops.relation_reads as reads
        on resources.resource = reads.resource and students.id = reads.user_id
    group by resources.resource
)
select
    resource, students, read, stale, oldest,
    students - read as left_to_read,
    case
        when day > 0
            then round(((students - read) * greatest(hours, 0.1) / day)::numeric, 1)::float
    end as hours_left
from counted
order by resource
"""
APPLICATION = "select * from ops.application order by seen_at desc limit 1"
