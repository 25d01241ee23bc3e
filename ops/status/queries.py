"""The questions of `make status` to the schema `ops`."""

from datetime import datetime

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base.query import execute, exists, records

KINDS = ("inserted", "updated", "deleted")
DATABASE = """
select
    current_database() as name,
    current_setting('server_version') as version,
    pg_database_size(current_database()) as bytes
"""
RUNS = """
select distinct on (mode)
    mode, run_id, status, started_at, finished_at, calls, message,
    extract(epoch from finished_at - started_at)::float as seconds
from ops.runs
order by mode, started_at desc
"""
# A pass that a later `dbt build` published is a good one too: `make extract && dbt build`.
GOOD = """(
    status in ('published', 'unchanged')
    or (mode = 'backfill' and status in ('loaded', 'stopped'))
    or (status = 'loaded' and exists (
        select from ops.runs as build where build.published_at > runs.finished_at
    ))
)"""
LAST_GOOD = sql.SQL("""
select mode, max(coalesce(finished_at, started_at)) as finished_at
from ops.runs where {}
group by mode
""").format(sql.SQL(GOOD))
# Tables that a run left as they were, until a later run reads them.
# A database from before an upgrade lacks the column until the first run.
DEGRADED = """
with ended as (
    select
        run_id,
        coalesce(finished_at, started_at) as at,
        coalesce(nullif(to_jsonb(runs) -> 'degraded', 'null'), '{}') as degraded
    from ops.runs
    where
        status in ('published', 'unchanged', 'loaded')
        or (mode = 'backfill' and status = 'stopped')
)
select distinct on (mention.key) mention.key as table_name, mention.value as reason, ended.at
from ended cross join lateral jsonb_each_text(ended.degraded) as mention
where
    not exists (
        select from ops.listings inner join ended as later using (run_id)
        where
            listings.resource = mention.key and listings.finished_at > ended.at
            and not later.degraded ? mention.key
    )
order by mention.key, ended.at desc
"""
AT_WORK = """
select
    run_id,
    mode,
    started_at,
    calls,
    to_jsonb(runs) ->> 'phase' as phase,
    (to_jsonb(runs) ->> 'planned_calls')::bigint as planned_calls
from ops.runs where run_id = %(run_id)s
"""
PUBLISHED = """
select published_at, rows, changes, rejected
from ops.runs where published_at is not null
order by published_at desc limit 1
"""
# A table of mirror comes from the raw tables that its staging view and its int_…__classified read;
# it was last read when the last listing of the one that is the furthest behind was.
READ = """
with reads as (
    select rewrite.ev_class as reader, depend.refobjid as source
    from pg_rewrite as rewrite
    inner join pg_depend as depend
        on depend.classid = 'pg_rewrite'::regclass and depend.objid = rewrite.oid
    where depend.refclassid = 'pg_class'::regclass and depend.refobjid <> rewrite.ev_class
),
readers as (
    select substring(relname from '^stg_fortytwo__(.*)$') as table_name, oid as staging
    from pg_class where relnamespace = to_regnamespace('staging')
    union
    select substring(relname from '^int_(.*)__classified$'), reads.source
    from pg_class inner join reads on pg_class.oid = reads.reader
    where relnamespace = to_regnamespace('intermediate')
),
finished as (select resource, max(finished_at) as read_at from ops.listings group by resource),
listed as (
    select resource, read_at from finished
    union all
    select coming.key, finished.read_at
    from jsonb_each_text(%(comes_with)s) as coming
    inner join finished on coming.value = finished.resource
)
select readers.table_name, min(listed.read_at) as read_at
from readers
inner join reads on readers.staging = reads.reader
inner join pg_class as raw
    on reads.source = raw.oid and raw.relnamespace = to_regnamespace('raw')
inner join listed on raw.relname = listed.resource
where readers.table_name is not null
group by readers.table_name
"""
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
# what those by whom a backfill reads (`Table.parents`) are called
PARENTS = {"users": "students", "events": "events", "days": "days"}
# the pace is that of the last day, or of the time since the first batch of it
BACKFILL = sql.SQL("""
with students as (
    select unnest(%(parents)s::bigint[]) as id
),
resources (resource) as (select unnest(%(backfilled)s::text[])),
counted as (
    select
        resources.resource,
        count(*) as students,
        count(*) filter (where not reads.stale) as read,
        count(*) filter (where reads.stale) as stale,
        min(reads.read_at) as oldest,
        count(*) filter (where reads.read_at > now() - interval '24 hours') as day,
        extract(epoch from now() - min(reads.read_at) filter (
            where reads.read_at > now() - interval '24 hours'
        )) / 3600.0 as hours
    from resources
    cross join students
    left join ops.{reads} as reads
        on resources.resource = reads.resource and students.id = reads.{parent}
    group by resources.resource
)
select
    resource, students, {called} as called, read, stale, oldest,
    students - read as left_to_read,
    case
        when day > 0
            then round(((students - read) * greatest(hours, 0.1) / day)::numeric, 1)::float
    end as hours_left
from counted
order by resource
""")
APPLICATION = "select * from ops.application order by seen_at desc limit 1"


def last_good(connection: Connection) -> dict[str, datetime]:
    """When a run of each mode last ended well: the one definition."""
    return dict(execute(connection, LAST_GOOD)) if exists(connection, "ops.runs") else {}


def last_attempt(connection: Connection, mode: str) -> datetime | None:
    """When a run of a mode last began, however it ended."""
    query = "select max(started_at) as at from ops.runs where mode = %s"
    found = records(connection, query, (mode,), needs="ops.runs")
    return found[0]["at"] if found else None
