{#-
    on-run-start: stop when another run is at work or `ops` is missing, and create what this build needs
    (the publication's functions, the readers' role and grants, the run's row). One script, one transaction. The
    macro runs it, because dbt keeps the message of a failing hook to itself when the project has
    exposures: it stumbles over them as it skips all nodes.
-#}
{% macro start_run() %}
    {%- if not execute or flags.WHICH not in ['build', 'run'] or target.type != 'postgres' -%}
        {{ return('') }}
    {%- endif -%}
    {%- do refuse_foreign_objects() -%}
    {%- set publishes = not build_gaps() -%}
    {%- set candidates = api.Relation.create(target.database, 'ops', 'candidates') -%}
    {%- set columns = adapter.get_columns_in_relation(candidates) | map(attribute='name') | list -%}
    {%- if 'compared_since' not in columns -%}
        {%- if publishes -%}
            {{ exceptions.raise_compiler_error(
                'The ops schema is missing or of an older version: run `make extract` first '
                ~ '(it makes ops what it has to be and reads the API into raw).'
            ) }}
        {%- endif -%}
        {{ return('') }}
    {%- endif -%}
    {%- do publication_specs() -%}
    {%- do run_query(start_run_sql(publishes)) -%}
    {%- if run_query("select to_regrole('mirror_reader') is null").rows[0][0] -%}
        {%- do print(
            'The role mirror_reader does not exist and ' ~ target.user ~ ' may not create roles. '
            ~ 'Let an administrator run: create role mirror_reader nologin;'
        ) -%}
    {%- endif -%}
    {{ return('') }}
{% endmacro %}

{% macro start_run_sql(publishes) %}
begin;
set local lock_timeout = '30s';
-- Two builds that start at once replace the functions one after the other.
select pg_advisory_xact_lock(42, 23);
{{ refuse_when_locked_sql() }}
{{ publication_functions() }}
{{ record_functions() }}
do $schema$
begin
    if to_regnamespace('mirror') is null then
        create schema mirror;
        comment on schema mirror
            is 'The mirror of the 42 API: complete, free of orphans, published in one piece.';
    end if;
end
$schema$;
select ops.let_readers_read();
{% if publishes -%}
-- A bare build that was killed could not say so itself.
update ops.runs
set status = 'failed', finished_at = now(), message = 'ended without publishing: killed, or the publication failed'
where mode = 'build' and status = 'running';
insert into ops.runs (run_id, mode, status, started_at, allow_deletes, versions)
values (
    {{ sql_text(run_id()) }}, 'build', 'running', {{ sql_text(run_started_at) }},
    {{ publication_settings().allow_deletes }}, jsonb_build_object(
        'dbt-core', {{ sql_text(dbt_version) }}, 'postgresql', current_setting('server_version_num')
    )
)
on conflict (run_id) do nothing;
{%- endif %}
commit;
{% endmacro %}

{#-
    The run lock, `pg_advisory_lock(42, 21)`, is held by `make sync` and `make extract` for their whole
    run, under an application_name that ends with the run's id, and by the virtual environment's `dbt`
    (extract/programs.py). Another dbt opens a connection a node and cannot hold it; two of those
    are told apart in ops.publish.
-#}
{% macro refuse_when_locked_sql() -%}
do $lock$
declare
    holder record;
begin
    select activity.pid, activity.application_name, activity.backend_start into holder
    from pg_locks as locks
    inner join pg_stat_activity as activity on locks.pid = activity.pid
    where locks.locktype = 'advisory' and locks.granted
        and locks.classid = 42 and locks.objid = 21 and locks.objsubid = 2
        and locks.database = (select oid from pg_database where datname = current_database())
        {%- set own = env_var('FORTYTWO_RUN_ID', '') or env_var('FORTYTWO_LOCK_ID', '') %}
        {%- if own %}
        and right(activity.application_name, {{ own | length }}) <> {{ sql_text(own) }}
        {%- endif %}
    limit 1;
    if found then
        raise exception using
            message = format(
                'Another run is at work: %s (process %s, since %s).',
                holder.application_name, holder.pid, date_trunc('second', holder.backend_start)
            ),
            hint = 'Nothing was built and nothing was published. Try again when it is done.';
    end if;
end
$lock$;
{%- endmacro %}
