{#-
    The publication in SQL: functions of schema ops, which start_run installs. In psql,
    `select * from ops.publication_of('users')` shows every statement of one table's publication,
    and `\sf ops.publish` their order. Only what the catalog of marts does not hold comes from dbt:
    foreign keys, unique constraints and indexes.
-#}
{% macro publication_functions() %}
{%- set plans_of_whole_tables -%}
-- Changes are grouped by sorting: hashing would hold every key of a first publication in memory.
set enable_hashagg = off
set work_mem = '64MB'
-- Keys in no order, looked up one by one through an index, take three times as long as a hash join of
-- the whole tables, keys in order half as long: what servers set for their disks (1.1) hides the one, the
-- default (4) the other. Workers would triple its memory.
set random_page_cost = 2
set max_parallel_workers_per_gather = 0
set timezone = 'UTC'
-- in which a constraint names its table with the schema
set search_path = 'pg_catalog'
set quote_all_identifiers = off
{%- endset -%}
-- Of earlier versions: what no version makes would stop `make uninstall` as somebody else's.
drop function if exists ops.attnums(regclass, text[]), ops.mass_deletions(text[], jsonb);

-- Columns of the primary key, quoted; null without one.
create or replace function ops.key_of(relation regclass) returns text[] language sql stable
as $key$
select array_agg(quote_ident(attname) order by array_position(conkey, attnum))
from pg_constraint
inner join pg_attribute on attrelid = conrelid and attnum = any(conkey)
where conrelid = relation and contype = 'p'
$key$;

-- Columns of a table, in their order.
create or replace function ops.columns_of(relation regclass)
returns table (name text, type text, not_null boolean, comment text) language sql stable
as $columns$
select
    attname::text, format_type(atttypid, atttypmod), attnotnull, col_description(relation, attnum)
from pg_attribute
where attrelid = relation and attnum > 0 and not attisdropped
order by attnum
$columns$;

-- Lock a table against readers, in attempts of 0.3 s.
create or replace function ops.lock_briefly(relation regclass, attempts int) returns void
language plpgsql
as $lock$
begin
    -- Waiting in the queue holds up every reader behind us, so ask briefly and often.
    for attempt in 1 .. attempts loop
        begin
            set local lock_timeout = '300ms';
            execute format('lock table %s in access exclusive mode', relation);
            set local lock_timeout = '30s';
            return;
        exception when lock_not_available then
            perform pg_sleep(0.7);
        end;
    end loop;
    raise exception using
        message = format(
            'Nothing was published: the columns of %s change, and readers keep the tables open.', relation
        ),
        detail = (
            select string_agg(concat_ws(
                ', ', 'process ' || activity.pid, nullif(activity.application_name, ''),
                'in a transaction since ' || activity.xact_start
            ), '; ')
            from pg_stat_activity as activity
            where activity.pid in (
                select locks.pid from pg_locks as locks
                where locks.pid <> pg_backend_pid() and locks.relation = lock_briefly.relation
            )
        ),
        hint = 'Run it again when they are done, or end them with pg_terminate_backend(process).';
end
$lock$;

-- The statements that drop what stands on a table, or on one of its columns, outermost first; empty when
-- nothing does.
create or replace function ops.drop_views_over(relation regclass, column_ text default null) returns text
language sql stable
as $views$
with recursive uses (oid, depth) as (
    select rewrite.ev_class, 1
    from pg_depend as depend
    inner join pg_rewrite as rewrite on depend.objid = rewrite.oid
    where depend.classid = 'pg_rewrite'::regclass and depend.refclassid = 'pg_class'::regclass
        and depend.refobjid = relation and (column_ is null or depend.refobjsubid = (
            select attnum from pg_attribute where attrelid = relation and attname = column_
        ))
    union
    select rewrite.ev_class, uses.depth + 1
    from uses
    inner join pg_depend as depend on depend.refobjid = uses.oid
        and depend.refclassid = 'pg_class'::regclass
    inner join pg_rewrite as rewrite on depend.objid = rewrite.oid and rewrite.ev_class <> uses.oid
    where depend.classid = 'pg_rewrite'::regclass and uses.depth < 100
)
select coalesce(string_agg(format(
    'drop %sview %s; ', case relkind when 'm' then 'materialized ' end, views.oid::regclass
), '' order by views.depth desc, views.oid::regclass::text), '')
from (select oid, max(depth) as depth from uses group by oid) as views
inner join pg_class on views.oid = pg_class.oid
$views$;

-- Make a table of mirror as its candidate is: a new table, new columns, wider types. Refuse the rest.
create or replace function ops.align_mirror(name text, may_alter boolean, lock_attempts int)
returns void language plpgsql
as $align$
declare
    candidate regclass := format('marts.%I', name)::regclass;
    live regclass := to_regclass(format('mirror.%I', name));
    changes text[] := '{}';
    refusals text[] := '{}';
    item record;
begin
    if live is null then
        execute format(
            'create table mirror.%1$I (like marts.%1$I including comments including constraints '
            'including indexes)', name
        );
        -- dbt describes the candidate after its hooks; the publication brings the description over.
        execute format('comment on table mirror.%I is %L', name, '{{ mark() }}');
    end if;
    if live is null or not may_alter then
        return;
    end if;
    for item in
        select
            coalesce(next.name, old.name) as name,
            next.type,
            old.type as old_type,
            old.not_null and not next.not_null as is_looser,
            ops.drop_views_over(live, old.name) as drops,
            (old.type, next.type) in (
                ('smallint', 'integer'), ('smallint', 'bigint'), ('integer', 'bigint'),
                ('integer', 'numeric'), ('bigint', 'numeric'), ('real', 'double precision'),
                ('date', 'timestamp without time zone')
            ) or next.type = 'text' and old.type like 'character varying%' as is_wider
        from ops.columns_of(candidate) as next
        full join ops.columns_of(live) as old on next.name = old.name
        where next.type is distinct from old.type or old.not_null and not next.not_null
    loop
        if item.is_looser then
            changes := changes || format('alter column %I drop not null', item.name);
        end if;
        if item.old_type is null then
            changes := changes || format('add column %I %s', item.name, item.type);
        elsif item.type is null then
            refusals := refusals
                || format('%salter table %s drop column %I;', item.drops, live, item.name);
        elsif item.type <> item.old_type and item.is_wider and item.drops = '' then
            changes := changes || format('alter column %I type %s', item.name, item.type);
        elsif item.type <> item.old_type then
            refusals := refusals || format(
                '%1$salter table %2$s alter column %3$I type %4$s using %3$I::%4$s;',
                item.drops, live, item.name, item.type
            );
        end if;
    end loop;
    if ops.key_of(live) is null then
        changes := changes
            || format('add primary key (%s)', array_to_string(ops.key_of(candidate), ', '));
    elsif ops.key_of(live) <> ops.key_of(candidate) then
        refusals := refusals || format(
            'alter table %s drop constraint %I cascade, add primary key (%s);', live,
            (select conname from pg_constraint where conrelid = live and contype = 'p'),
            array_to_string(ops.key_of(candidate), ', ')
        );
    end if;
    if cardinality(refusals) > 0 then
        raise exception using
            message = format(
                'Nothing was published: the contract of %s changes what its readers may use.', name
            ),
            hint = 'Take the change back, or run: ' || array_to_string(refusals, ' ');
    elsif cardinality(changes) > 0 then
        perform ops.lock_briefly(live, lock_attempts);
        execute format('alter table %s %s', live, array_to_string(changes, ', '));
    end if;
end
$align$;

-- Give a snapshot its mart's new columns, so that they make no new version of every row.
create or replace function ops.align_history(name text, ignored text[]) returns void language plpgsql
as $history$
declare
    history regclass := to_regclass(format('snapshots.%I', name || '_history'));
    candidate regclass := format('marts.%I', name)::regclass;
    differs text := (
        select string_agg(format('known.%1$I is distinct from next.%1$I', next.name), ' or ')
        from ops.columns_of(candidate) as next
        inner join ops.columns_of(history) as known on next.name = known.name
        where next.name <> all(ignored)
    );
    item record;
begin
    for item in
        select next.* from ops.columns_of(candidate) as next
        left join ops.columns_of(history) as known on next.name = known.name
        where history is not null and known.name is null
    loop
        execute format('alter table %s add column %I %s', history, item.name, item.type);
        -- A version that goes on has the new column too; one that ends now never had it.
        execute format(
            'update %1$s as known set %2$I = next.%2$I from %3$s as next '
            'where known.id = next.id and known.dbt_valid_to is null and not (%4$s)',
            history, item.name, candidate, differs
        );
    end loop;
end
$history$;

-- The statements that bring a table of mirror to its candidate; updates is null for a link table.
create or replace function ops.publication_of(
    name text, out diff text, out updates text, out deletions text, out insertions text, out changes text
)
language plpgsql stable
as $publication$
declare
    key text[] := ops.key_of(format('marts.%I', name)::regclass);
    parts jsonb;
    part record;
    statements text[] := array[
$diff$drop table if exists {changed};
create unlogged table {changed} as
select
    {key},
    case
        when next.ctid is null then 'delete'
        when live.ctid is null then 'insert'
        else 'update'
    end as _action,
    case when next.ctid is not null and live.ctid is not null then array_remove(array[
        {differing}
    ]::text[], null) end as _columns
from mirror.{table} as live
full join marts.{table} as next using ({key})
where
    {differs};
analyze {changed};
comment on table {changed} is '{{ mark() }}'$diff$,
$update$update mirror.{table} as live
set (
    {others}
) = row(
    {next_others}
)
from {changed} as changed
inner join marts.{table} as next using ({key})
where changed._action = 'update' and {same_key}$update$,
$delete$delete from mirror.{table} as live
using {changed} as changed
where changed._action = 'delete' and {same_key}$delete$,
$insert$insert into mirror.{table} (
    {columns}
)
select
    {columns}
from {changed} as changed
inner join marts.{table} as next using ({key})
where changed._action = 'insert'$insert$,
-- Keys in sets of up to 10,000, one set per way of changing. In no order, which a million keys would
-- take longer to be put into than to be written.
$record$insert into ops.change_sets (changed_at, run_id, table_name, action, columns, keys)
select now(), $1, {name}, _action, _columns, json_agg(_key)::jsonb
from (
    select _action, _columns, _key, (row_number() over () - 1) / 10000 as chunk
    from {changed}
    cross join lateral (select {key}) as _key
) as numbered
group by chunk, _action, _columns$record$
    ];
begin
    with listed as (
        select
            columns_of.name,
            quoted,
            quoted <> all(key) as is_other,
            format('live.%1$s is distinct from next.%1$s', quoted) as differs
        from ops.columns_of(format('marts.%I', publication_of.name)::regclass)
        cross join lateral quote_ident(columns_of.name) as quoted
    )
    select jsonb_build_object(
        'table', quote_ident(publication_of.name),
        'name', quote_literal(publication_of.name),
        'changed', 'intermediate.' || quote_ident(publication_of.name || '__differences'),
        'key', array_to_string(key, ', '),
        'same_key', format(
            '(live.%s) = (changed.%s)', array_to_string(key, ', live.'), array_to_string(key, ', changed.')
        ),
        'columns', string_agg(quoted, E',\n    '),
        'others', string_agg(quoted, E',\n    ') filter (where is_other),
        'next_others', string_agg('next.' || quoted, E',\n    ') filter (where is_other),
        'differs', string_agg(differs, E'\n    or '),
        'differing', string_agg(
            format('case when %s then %L end', differs, listed.name), E',\n        '
        )
    ) into parts from listed;
    for part in select * from jsonb_each_text(parts) loop
        statements := array(
            select replace(statement, '{' || part.key || '}', coalesce(part.value, ''))
            from unnest(statements) as statement
        );
    end loop;
    diff := statements[1];
    updates := case when parts ->> 'others' is not null then statements[2] end;
    deletions := statements[3];
    insertions := statements[4];
    changes := statements[5];
end
$publication$;

-- Whether so many deletions are a question, not an order. Small tables are not worth one.
create or replace function ops.is_mass_deletion(deletions bigint, present bigint, settings jsonb)
returns boolean language sql immutable
as $mass$
select
    deletions >= (settings ->> 'min_guarded_rows')::bigint
    and deletions > present * (settings ->> 'max_delete_fraction')::numeric
$mass$;

-- Find what differs between a table of mirror and its candidate. `since`: whatever could not be seen then
-- is of this transaction or of a later one.
create or replace function ops.compare(
    name text, out mirror_rows bigint, out deletions bigint, out since xid
)
language plpgsql
{{ plans_of_whole_tables }}
as $compare$
begin
    since := pg_snapshot_xmin(pg_current_snapshot())::xid;
    execute (ops.publication_of(name)).diff;
    execute format(
        'select (select count(*) from mirror.%I), count(*) from intermediate.%I where _action = ''delete''',
        name, name || '__differences'
    ) into mirror_rows, deletions;
end
$compare$;

-- The constraints of a table of mirror beyond its primary key, as pg_get_constraintdef() has them.
create or replace function ops.promises_of(spec jsonb) returns setof text language sql stable
as $promises$
select format('UNIQUE (%I) DEFERRABLE', column_)
from jsonb_array_elements_text(spec -> 'unique_columns') as column_
union all
select format(
    'FOREIGN KEY (%I) REFERENCES mirror.%I(%I) ON DELETE CASCADE DEFERRABLE', name, parent, parent_column
)
from jsonb_to_recordset(spec -> 'foreign_keys') as keys (name text, parent text, parent_column text)
$promises$;

-- What only the new rows can keep: not null, unique, indexes, foreign keys; and the descriptions.
create or replace function ops.constrain_mirror(spec jsonb, lock_attempts int) returns void
language plpgsql
as $constrain$
declare
    live regclass := format('mirror.%I', spec ->> 'name')::regclass;
    candidate regclass := format('marts.%I', spec ->> 'name')::regclass;
    missing record;
begin
    for missing in
        with matched as (
            select
                next.name,
                next.comment,
                next.comment is distinct from old.comment as is_redescribed,
                next.not_null and not old.not_null as is_stricter
            from ops.columns_of(candidate) as next
            inner join ops.columns_of(live) as old on next.name = old.name
        )
        select
            format('alter table %s alter column %I set not null', live, name) as statement,
            true as stops_readers
        from matched
        where is_stricter
        union all
        select format('alter table %s add %s', live, promise), starts_with(promise, 'UNIQUE')
        from ops.promises_of(spec) as promise
        where promise not in (select pg_get_constraintdef(oid) from pg_constraint where conrelid = live)
        union all
        -- A foreign key without an index lets each deleted parent read all of its children.
        select distinct format('create index on %s (%I)', live, column_), false
        from jsonb_array_elements_text(spec -> 'indexes') as column_
        where not exists (
            select from pg_index
            inner join pg_attribute on attrelid = indrelid and attnum = indkey[0]
            where indrelid = live and indisvalid and indpred is null and attname = column_
        )
        union all
        select format('comment on table %s is %L', live, obj_description(candidate, 'pg_class')), false
        where obj_description(candidate, 'pg_class') is distinct from obj_description(live, 'pg_class')
        union all
        select format('comment on column %s.%I is %L', live, name, comment), false
        from matched
        where is_redescribed
    loop
        if missing.stops_readers then
            perform ops.lock_briefly(live, lock_attempts);
        end if;
        execute missing.statement;
    end loop;
end
$constrain$;

-- Bring mirror to the content of marts, in one transaction: docs/publication.md.
create or replace function ops.publish(specs jsonb, run jsonb, settings jsonb) returns void
language plpgsql
{{ plans_of_whole_tables }}
as $publish$
declare
    lock_attempts int := settings ->> 'lock_attempts';
    names text[] := array(select element ->> 'name' from jsonb_array_elements(specs) as element);
    name text;
    spec jsonb;
    found_ text;
    candidate ops.candidates;
    written bigint;
    built bigint;
    expected bigint;
    published bigint;
begin
    -- One publication at a time, also when the client of the one before is gone but its server is not.
    perform pg_advisory_xact_lock(42, 22);

    -- The candidates are held still, and are the ones that this run built and tested. dbt keeps no
    -- connection between its nodes, so a bare `dbt build` cannot hold the run lock.
    foreach name in array names loop
        execute format('lock table marts.%I in access share mode', name);
    end loop;
    select string_agg(wanted, ', ') into found_
    from unnest(names) as wanted
    left join ops.candidates
        on candidates.table_name = wanted
        and candidates.relation = format('marts.%I', wanted)::regclass
    where candidates.run_id is distinct from run ->> 'build_id';
    if found_ is not null then
        raise exception using
            message = format(
                'Nothing was published: another dbt run has rebuilt %s since this one tested it.', found_
            ),
            hint = 'Run one build at a time; the next complete `dbt build` publishes.';
    end if;
    foreach name in array names loop
        perform ops.align_mirror(name, true, lock_attempts);
    end loop;
    select string_agg(format('alter table %s drop constraint %I;', conrelid::regclass, conname), ' ')
    into found_
    from jsonb_array_elements(specs) as listed (spec)
    inner join pg_constraint on conrelid = format('mirror.%I', listed.spec ->> 'name')::regclass
    inner join pg_class as parent on parent.oid = confrelid
        and parent.relnamespace = 'mirror'::regnamespace
    where not exists (
        select from ops.promises_of(listed.spec) as promise
        where starts_with(pg_get_constraintdef(pg_constraint.oid), split_part(promise, ' ON DELETE', 1))
    );
    if found_ is not null then
        raise exception using
            message = 'Nothing was published: mirror has a foreign key without a `relationships` test.',
            hint = 'Bring the test back, or run: ' || found_;
    end if;

    -- What differs
    create temporary table publication (
        table_name text primary key, inserted bigint, updated bigint, deleted bigint, rows bigint
    ) on commit drop;
    foreach name in array names loop
        -- As it was found beside the other tables' builds, unless mirror has been written to since.
        select * into candidate from ops.candidates where table_name = name;
        execute format(
            'select count(*), count(*) filter (where age(xmin) <= age($1)) from mirror.%I', name
        ) into published, written using candidate.compared_since;
        if candidate.compared_since is null or written > 0 or published <> candidate.mirror_rows then
            perform ops.compare(name);
        end if;
        execute format(
            'insert into pg_temp.publication (table_name, inserted, updated, deleted, rows) select %L, '
            'count(*) filter (where _action = ''insert''), count(*) filter (where _action = ''update''), '
            'count(*) filter (where _action = ''delete''), $1 from intermediate.%I',
            name, name || '__differences'
        ) using published;
    end loop;
    select string_agg(format('%s of %s rows of %s', deleted, rows, table_name), ', ') into found_
    from pg_temp.publication
    where ops.is_mass_deletion(deleted, rows, settings);
    if found_ is not null and not (settings ->> 'allow_deletes')::boolean then
        raise exception using
            message = format('Nothing was published: it would delete %s.', found_),
            hint = settings ->> 'guard_hint';
    end if;

    -- All updates first, then deletions children first, then insertions parents first: a row that moves
    -- to another parent has left the old one before that goes, because a cascade cannot be deferred.
    set constraints all deferred;
    foreach name in array names loop
        if (ops.publication_of(name)).updates is not null then
            execute (ops.publication_of(name)).updates;
        end if;
    end loop;
    for number in reverse cardinality(names) .. 1 loop
        execute (ops.publication_of(names[number])).deletions;
    end loop;
    foreach name in array names loop
        execute (ops.publication_of(name)).insertions;
    end loop;
    set constraints all immediate;
    for spec in select * from jsonb_array_elements(specs) loop
        perform ops.constrain_mirror(spec, lock_attempts);
    end loop;

    -- mirror is the candidate: else a row referred to a parent that went, and went with it.
    foreach name in array names loop
        execute format('select count(*) from mirror.%I', name) into published;
        execute format('select count(*) from marts.%I', name) into expected;
        select rows into built from ops.candidates where table_name = name;
        if expected <> built then
            raise exception using message = format(
                'Nothing was published: the candidate of %s has %s rows, but was built and tested with '
                '%s. A restart of the server empties it; run again.', name, expected, built
            );
        elsif published <> expected then
            raise exception using message = format(
                'Nothing was published: %s would have %s rows instead of %s, because rows of it refer '
                'to a parent that is gone.', name, published, expected
            );
        end if;
        update pg_temp.publication set rows = published where table_name = name;
        execute (ops.publication_of(name)).changes using run ->> 'run_id';
        execute format('drop table intermediate.%I', name || '__differences');
    end loop;
    perform ops.record_rejections((settings ->> 'retention_days')::int);
    delete from ops.change_sets
    where changed_at < now() - make_interval(days => (settings ->> 'retention_days')::int);
    perform ops.record_publication(run, (settings ->> 'allow_deletes')::boolean);
    -- Statistics where more than a tenth of a table changed; autovacuum does the rest.
    for name in
        select table_name from pg_temp.publication where inserted + updated + deleted > rows / 10
    loop
        execute format('analyze mirror.%I', name);
    end loop;
end
$publish$;
{% endmacro %}
