{#- What a publication writes to ops beside the changes, and what readers may read: functions of ops. -#}
{% macro record_functions() %}
-- ops.rejections from int_rejected_rows: new ones in, gone ones dated, those that are back undated.
create or replace function ops.record_rejections(retention_days int) returns void language plpgsql
as $rejections$
declare
    inserted bigint;
begin
    -- First what differs, in one pass over both: looking rows up in the table that is being filled
    -- takes hours at a million. A key is there once: the test rejected_rows_are_under_one_rule_only.
    with changed as (
        select
            table_name,
            rule,
            key,
            case when known.rejected then 'gone' when known.rejected is null then 'new' else 'back' end as state
        from (select table_name, rule, key, true as rejected from intermediate.int_rejected_rows) as found
        full join (
            select table_name, rule, key, gone_at is null as rejected from ops.rejections
        ) as known using (table_name, rule, key)
        where coalesce(found.rejected, false) <> coalesce(known.rejected, false)
    ),
    dated as (
        update ops.rejections as known
        set
            gone_at = case changed.state when 'gone' then now() end,
            last_seen_at = case changed.state when 'gone' then coalesce(
                (select max(runs.published_at) from ops.runs), known.first_seen_at
            ) end
        from changed
        where changed.state <> 'new' and known.table_name = changed.table_name
            and known.rule = changed.rule and known.key = changed.key
    )
    insert into ops.rejections (table_name, rule, key, first_seen_at)
    select table_name, rule, key, now()
    from changed
    where state = 'new';
    -- The next publication joins it whole, perhaps before autovacuum has seen it.
    get diagnostics inserted = row_count;
    if inserted > (select count(*) from ops.rejections) / 10 then
        analyze ops.rejections;
    end if;
    delete from ops.rejections where gone_at < now() - make_interval(days => retention_days);
end
$rejections$;

-- The row of ops.runs of a run that has published.
create or replace function ops.record_publication(run jsonb, allow_deletes boolean) returns void
language plpgsql
as $run$
begin
    update ops.runs
    set
        status = 'published',
        -- A sync has work left after dbt; it says itself when it is done.
        finished_at = case when mode = 'build' then clock_timestamp() else finished_at end,
        published_at = now(),
        rows = tables.rows,
        rejected = (
            select coalesce(jsonb_object_agg(by_rule.rule, by_rule.rows), '{}')
            from (
                select rejections.rule, count(*) as rows from ops.rejections
                where rejections.gone_at is null
                group by rejections.rule
            ) as by_rule
        ),
        changes = tables.changes,
        seconds = coalesce(seconds, '{}') || jsonb_build_object(
            'publish', round(extract(epoch from clock_timestamp() - now())::numeric, 2)
        ),
        raw_signature = nullif(run -> 'signature', 'null'),
        allow_deletes = record_publication.allow_deletes,
        message = null
    from (
        select
            jsonb_object_agg(table_name, publication.rows) as rows,
            jsonb_object_agg(table_name, jsonb_build_object(
                'inserted', inserted, 'updated', updated, 'deleted', deleted
            )) as changes
        from pg_temp.publication
    ) as tables
    where runs.run_id = run ->> 'run_id';
end
$run$;

-- mirror_reader may read mirror, reports and ops, what is there and what comes, and nothing else;
-- of ops not who was erased and stays out.
create or replace function ops.let_readers_read() returns void language plpgsql
as $grants$
declare
    item record;
begin
    begin
        if to_regrole('mirror_reader') is null then
            create role mirror_reader nologin;
        end if;
    exception when insufficient_privilege then
        return;
    when duplicate_object or unique_violation then
        null;  -- another database of this server was quicker
    end;
    -- Only what is missing: a grant that is there already would still write to the catalog.
    for item in
        select format('grant usage on schema %I to mirror_reader', nspname) as statement
        from pg_namespace
        where nspname in ('mirror', 'reports', 'ops') and pg_has_role(nspowner, 'usage')
            and not has_schema_privilege('mirror_reader', oid, 'usage')
        union all
        select format(
            'alter default privileges in schema %I grant select on tables to mirror_reader', nspname
        )
        from pg_namespace as space
        where nspname in ('mirror', 'reports', 'ops') and pg_has_role(nspowner, 'usage') and not exists (
            select from pg_default_acl
            where defaclnamespace = space.oid and defaclobjtype = 'r' and defaclacl
                @> makeaclitem('mirror_reader'::regrole, current_user::regrole, 'SELECT', false)
        )
        union all
        select format('grant select on %s to mirror_reader', relation.oid::regclass)
        from pg_class as relation
        where relnamespace::regnamespace::text in ('mirror', 'reports', 'ops')
            and relation.relkind in ('r', 'p', 'v', 'm') and pg_has_role(relation.relowner, 'usage')
            and right(obj_description(relation.oid, 'pg_class'), length('{{ mark() }}')) = '{{ mark() }}'
            and relation.oid is distinct from to_regclass('ops.kept_out')
            and not has_table_privilege('mirror_reader', relation.oid, 'select')
    loop
        execute item.statement;
    end loop;
end
$grants$;
{% endmacro %}
