-- What the extraction records in `ops`, beside the tables of ops/schema.sql. Idempotent.

create table if not exists ops.api_calls (
    called_at timestamptz not null,
    run_id text not null,
    path text not null,
    query text not null,
    page integer not null,
    status integer,
    rows integer not null,
    error text not null,
    attempt integer not null,
    milliseconds integer not null,
    quota_left integer
);
create index if not exists api_calls_called_at_idx on ops.api_calls (called_at);
comment on table ops.api_calls is 'One row per call on a 42 API resource, retries included; 30 days.';
comment on column ops.api_calls.status is 'HTTP status; null when no answer came.';
comment on column ops.api_calls.error is 'Why the answer did not count; empty for a good one.';
comment on column ops.api_calls.quota_left is 'X-Hourly-RateLimit-Remaining of the answer.';

create table if not exists ops.application (
    api_url text primary key,
    secret_valid_until timestamptz,
    token_valid_until timestamptz not null,
    using_next_secret boolean not null,
    seen_at timestamptz not null,
    refused_at timestamptz
);
do $$
begin
    if not exists (
        select from pg_attribute
        where attrelid = 'ops.application'::regclass and attname = 'refused_at'
    ) then
        alter table ops.application add column refused_at timestamptz;
    end if;
end
$$;
comment on table ops.application is
'How long the application''s credentials were good for when the last run asked; never the credentials.';
comment on column ops.application.secret_valid_until is 'Null when the API did not say.';
comment on column ops.application.token_valid_until is 'End of the last run''s token; every run asks anew.';
comment on column ops.application.using_next_secret is
'The API refused FORTYTWO_CLIENT_SECRET and FORTYTWO_CLIENT_SECRET_NEXT took over.';
comment on column ops.application.refused_at is
'Since when the API refuses every secret that is set; null while one is good.';

do $$
begin
    if to_regclass('ops.walks') is not null and to_regclass('ops.listings') is null then
        alter table ops.walks rename to listings;
        alter table ops.listings rename column walk to listing;
        alter table ops.listings rename column walked to readings;
        alter index ops.walks_finished_at_idx rename to listings_finished_at_idx;
    end if;
end
$$;
create table if not exists ops.listings (
    finished_at timestamptz not null,
    run_id text not null,
    resource text not null,
    listing text not null,
    rows bigint not null,
    calls integer not null,
    readings integer not null
);
create index if not exists listings_finished_at_idx on ops.listings (finished_at);
comment on table ops.listings is 'One row per complete listing; 30 days.';
comment on column ops.listings.calls is 'Good answers it took; 0 when an interrupted run had cached it.';
comment on column ops.listings.readings is 'How often the list was read until it added up to X-Total.';

create table if not exists ops.relation_reads (
    resource text not null,
    user_id bigint not null,
    read_at timestamptz not null,
    checked_at timestamptz not null,
    stale boolean not null default false,
    primary key (resource, user_id)
);
comment on table ops.relation_reads is
'Which students'' relation rows were read completely, and when: what the backfill still has to do.';
comment on column ops.relation_reads.checked_at is 'When a count check last agreed with raw.';
comment on column ops.relation_reads.stale is 'Known to have changed: to be read again soon.';

create table if not exists ops.event_reads (
    resource text not null,
    event_id bigint not null,
    read_at timestamptz not null,
    checked_at timestamptz not null,
    stale boolean not null default false,
    primary key (resource, event_id)
);
comment on table ops.event_reads is
'Of which events the rows were read completely, and when: as ops.relation_reads says of students.';

create table if not exists ops.day_reads (
    resource text not null,
    begin_day bigint not null,
    read_at timestamptz not null,
    checked_at timestamptz not null,
    stale boolean not null default false,
    primary key (resource, begin_day)
);
comment on table ops.day_reads is
'Of which days the rows were read completely, and when: as ops.relation_reads says of students.';
comment on column ops.day_reads.begin_day is 'Number of the day (UTC) since 1970.';

create table if not exists ops.refusals (
    resource text primary key,
    status integer not null,
    since timestamptz not null,
    probed_at timestamptz not null
);
comment on table ops.refusals is
'Optional tables that the API does not let the application read: asked again once a day.';
comment on column ops.refusals.status is 'HTTP status of the refusal: 403 or 404.';

create table if not exists ops.delete_scope (
    resource text not null,
    key_column text not null,
    key bigint
);
comment on table ops.delete_scope is
'What the load under way may delete from raw: only what was read completely. Empty between loads.';

create table if not exists ops.deleted_rows (
    deleted_at timestamptz not null default now(),
    deleted_by xid8 not null default pg_current_xact_id(),
    resource text not null,
    key jsonb not null
);
create index if not exists deleted_rows_resource_idx on ops.deleted_rows (resource, deleted_by);
comment on table ops.deleted_rows is
'Keys of rows deleted from raw and from ops.…_reads, which a copy in files goes by; 30 days.';
comment on column ops.deleted_rows.deleted_by is 'The transaction that did it.';
comment on column ops.deleted_rows.key is 'Primary key of the row, e.g. {"id": 42}.';

create or replace function ops.record_deleted_rows() returns trigger language plpgsql as $function$
begin
    execute format(
        'insert into ops.deleted_rows (resource, key) '
        'select %L, jsonb_build_object(%s) from deleted',
        tg_table_name,
        (select string_agg(format('%L, %I', name, name), ', ') from unnest(tg_argv) as name)
    );
    return null;
end
$function$;
comment on function ops.record_deleted_rows() is
'Trigger: records the keys of deleted rows in ops.deleted_rows. Its arguments are the columns of the key.';

create or replace function ops.delete_on_record(relation regclass, condition text, run text)
returns void language plpgsql as $function$
declare
    reference record;
begin
    for reference in
        select conrelid, attname
        from pg_constraint
        inner join pg_attribute on attrelid = conrelid and attnum = conkey[1]
        where contype = 'f' and confrelid = relation
    loop
        perform ops.delete_on_record(
            reference.conrelid,
            format('%I in (select id from %s where %s)', reference.attname, relation, condition),
            run
        );
    end loop;
    -- as the publication records what it deletes, in sets of up to 10,000 keys
    execute format(
        $delete$
        with deleted as (
            delete from %s as old where %s returning to_jsonb(old) as content
        ),

        numbered as (
            select
                (row_number() over () - 1) / 10000 as chunk,
                (
                    select jsonb_object_agg(attname, content -> attname)
                    from pg_constraint
                    inner join pg_attribute on attrelid = conrelid and attnum = any(conkey)
                    where conrelid = $1 and contype = 'p'
                ) as key
            from deleted
        )

        insert into ops.change_sets (changed_at, run_id, table_name, action, keys)
        select now(), $2, relname, 'delete', jsonb_agg(key)
        from numbered
        inner join pg_class on oid = $1
        group by chunk, relname
        $delete$,
        relation, condition
    ) using relation, run;
end
$function$;
comment on function ops.delete_on_record(regclass, text, text) is
'Deletes rows of a published table, those that refer to them first: a cascade leaves no record.';

create table if not exists ops.drift (
    resource text not null,
    field text not null,
    kind text not null,
    first_seen_at timestamptz not null,
    primary key (resource, field, kind)
);
comment on table ops.drift is 'Fields that the API added (kept in unknown_fields) or no longer sends.';

create table if not exists ops.erasures (
    erased_at timestamptz not null,
    run_id text not null,
    reason text not null,
    people integer not null,
    rows jsonb not null
);
comment on table ops.erasures is 'Erasures: when, why and how many rows; not whose.';

create table if not exists ops.kept_out (
    person text primary key,
    since timestamptz not null,
    key_id text
);
alter table ops.kept_out add column if not exists key_id text;
comment on table ops.kept_out is
'People who were erased on request and are never loaded again: a keyed hash of their number in the API.';
comment on column ops.kept_out.key_id is
'Which key of kept-out.keys (not in this database) the hash was made with; null: of an earlier version.';
-- readers of ops have no business here, whatever its default privileges say
do $$
declare
    entry record;
begin
    for entry in
        select distinct privilege.grantee
        from pg_class as relation
        cross join lateral aclexplode(relation.relacl) as privilege
        where relation.oid = 'ops.kept_out'::regclass and privilege.grantee <> relation.relowner
    loop
        execute format(
            'revoke all on ops.kept_out from %s',
            case entry.grantee when 0 then 'public' else entry.grantee::regrole::text end
        );
    end loop;
end
$$;
