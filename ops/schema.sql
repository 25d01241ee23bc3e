-- The `ops` schema: the record of what the mirror did, and when.
--
-- Idempotent; `make extract` and `make sync` apply it at their start, and extract/load/record.sql for
-- their own tables. dbt's hooks only read and write what is here, and stop with a clear message
-- when it is missing. People appear here by their number in the API, never by name or content.
-- Views are created when missing and never replaced: that would wait for everybody who reads one.

do $do$
begin
    if to_regnamespace('ops') is null then
        create schema ops;
        comment on schema ops is 'What the mirror did: runs, API calls, changes, rejected rows.';
    end if;
end
$do$;

-- -----------------------------------------------------------------------------------------
-- Runs
-- -----------------------------------------------------------------------------------------

create table if not exists ops.runs (
    run_id text primary key,
    mode text not null,
    status text not null,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    published_at timestamptz,
    calls bigint,
    rows jsonb,
    rejected jsonb,
    changes jsonb,
    seconds jsonb,
    versions jsonb,
    raw_signature jsonb,
    allow_deletes boolean not null default false,
    message text,
    phase text,
    planned_calls bigint,
    degraded jsonb,
    constraint runs_status_known check (
        status in ('running', 'loaded', 'published', 'unchanged', 'failed', 'stopped')
    )
);

-- Older than the columns. Asked first: to alter would wait for everybody who reads the table.
do $do$
begin
    if not exists (
        select from pg_attribute
        where attrelid = 'ops.runs'::regclass and attname = 'degraded' and not attisdropped
    ) then
        alter table ops.runs
        add column if not exists phase text,
        add column if not exists planned_calls bigint,
        add column if not exists degraded jsonb;
    end if;
end
$do$;

create index if not exists runs_started_at_idx on ops.runs (started_at);
create index if not exists runs_published_at_idx on ops.runs (published_at)
where published_at is not null;

comment on table ops.runs is 'One row per run: a sync, an extraction, or a bare dbt build.';
comment on column ops.runs.mode is 'full, campuses (a full pass of some campuses only), live, backfill, build (a bare dbt build)';
comment on column ops.runs.status is
'running, loaded (raw is there, nothing published yet), published, unchanged (raw did not change, '
'no build was needed), failed, stopped (budget spent or interrupted)';
comment on column ops.runs.degraded is
'Optional tables that this run left as they were, and why: {"table": "reason"}; null when none.';
comment on column ops.runs.published_at is
'When mirror took this run''s content; null when it did not.';
comment on column ops.runs.calls is 'API calls made.';
comment on column ops.runs.rows is 'Rows of each mirror table after the publication.';
comment on column ops.runs.rejected is 'Rows left out, by rule.';
comment on column ops.runs.changes is 'Rows inserted, updated and deleted in each mirror table.';
comment on column ops.runs.seconds is 'Wall time of each phase.';
comment on column ops.runs.versions is 'Versions of the mirror, dbt, dlt and PostgreSQL.';
comment on column ops.runs.raw_signature is 'What raw looked like when this run published it.';
comment on column ops.runs.allow_deletes is
'The deletion guard was lifted for this run (ALLOW_DELETES=1).';
comment on column ops.runs.phase is 'What the run was doing when it last said so, while it is at work.';
comment on column ops.runs.planned_calls is 'API calls that it expected to make; null when unknown.';
comment on column ops.runs.message is 'Why the run ended as it did, in words.';

-- -----------------------------------------------------------------------------------------
-- Changes: one row per inserted, updated and deleted row of mirror (written by the publication, and
-- by a pass for rows that are kept no longer)
-- -----------------------------------------------------------------------------------------

-- Stored as sets: up to 10,000 keys that one run changed in the same way. The first publication of
-- 2.6 million rows takes 12 MB this way, 308 MB as plain rows. Read it through ops.changes.
create table if not exists ops.change_sets (
    changed_at timestamptz not null,
    run_id text not null,
    table_name text not null,
    action text not null,
    columns text[],
    keys jsonb not null,
    constraint change_sets_action_known check (action in ('insert', 'update', 'delete')),
    constraint change_sets_keys_are_a_list check (jsonb_typeof(keys) = 'array')
);

create index if not exists change_sets_table_idx on ops.change_sets (table_name, changed_at);
create index if not exists change_sets_changed_at_idx on ops.change_sets (changed_at);

comment on table ops.change_sets is
'Storage of ops.changes: the keys that one run changed in the same way.';

do $do$
begin
    if to_regclass('ops.changes') is null then
        create view ops.changes as
        select
            change_sets.changed_at,
            change_sets.run_id,
            change_sets.table_name,
            change_sets.action,
            changed.key,
            change_sets.columns
        from ops.change_sets
        cross join lateral jsonb_array_elements(change_sets.keys) as changed (key);
    end if;
end
$do$;

comment on view ops.changes is
'One row per inserted, updated and deleted row of mirror. Keys only, never contents.';
comment on column ops.changes.changed_at is
'Time of the publication, one for all its changes; of rows that are kept no longer, when they went.';
comment on column ops.changes.key is 'Primary key of the row, e.g. {"id": 42}.';
comment on column ops.changes.columns is 'For an update: the columns whose values changed.';

-- -----------------------------------------------------------------------------------------
-- Rejected rows: what a rule left out of mirror, and why (written by the publication)
-- -----------------------------------------------------------------------------------------

create table if not exists ops.rejections (
    table_name text not null,
    rule text not null,
    key jsonb not null,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz,
    gone_at timestamptz,
    primary key (table_name, rule, key)
);

comment on table ops.rejections is 'Storage of ops.rejected_rows.';
comment on column ops.rejections.last_seen_at is
'Last publication that still rejected the row. Null while it is rejected: then it is the latest '
'publication, so that an unchanged sync writes nothing here.';
comment on column ops.rejections.gone_at is 'First publication that no longer rejected the row.';

do $do$
begin
    if to_regclass('ops.rejected_rows') is null then
        create view ops.rejected_rows as
        select
            rejections.table_name,
            rejections.key,
            rejections.rule,
            rejections.first_seen_at,
            coalesce(
                rejections.last_seen_at,
                (select max(runs.published_at) from ops.runs),
                rejections.first_seen_at
            ) as last_seen_at,
            rejections.gone_at is null as rejected_now
        from ops.rejections;
    end if;
end
$do$;

comment on view ops.rejected_rows is
'Rows that a rule leaves out of mirror: which rule, since when, until when.';

-- -----------------------------------------------------------------------------------------
-- Candidates: which run built which table of marts (written by dbt, a row per mart)
-- -----------------------------------------------------------------------------------------

-- A publication reads only tables that its own run built and tested: when a second dbt build has
-- replaced one in the meantime, it is another physical table and the publication refuses.
create table if not exists ops.candidates (
    table_name text primary key,
    relation oid not null,
    run_id text not null,
    built_at timestamptz not null default now(),
    rows bigint,
    mirror_rows bigint,
    deletions bigint,
    compared_since xid
);

-- Older than these columns.
alter table ops.candidates add column if not exists rows bigint;
alter table ops.candidates add column if not exists mirror_rows bigint;
alter table ops.candidates add column if not exists deletions bigint;
alter table ops.candidates add column if not exists compared_since xid;

comment on table ops.candidates is
'Which dbt invocation built each table of marts, and how it differed from mirror.';
comment on column ops.candidates.rows is
'Rows when it was built. A crash of the server empties the unlogged tables of marts: they differ.';
comment on column ops.candidates.mirror_rows is 'Rows of the table of mirror then.';
comment on column ops.candidates.deletions is 'How many of those the candidate does not have.';
comment on column ops.candidates.compared_since is
'The oldest transaction that was at work then: what it or a later one has written was not compared.';
