{#-
    on-run-start: stop when another run is at work or `ops` is missing, and create what this build needs
    (mirror's empty tables, the reader role's grants, the run's row). One script, one transaction. The
    macro runs it, because dbt keeps the message of a failing hook to itself when the project has
    exposures: it stumbles over them as it skips all nodes.
-#}
{% macro start_run() %}
    {%- if not execute or flags.WHICH not in ['build', 'run'] or target.type != 'postgres' -%}
        {{ return('') }}
    {%- endif -%}
    {%- do refuse_foreign_objects() -%}
    {%- set publishes = not build_gaps() -%}
    {%- if not ops_exists() -%}
        {%- if publishes -%}
            {{ exceptions.raise_compiler_error(
                'The ops schema is missing, so there is nothing to publish from yet: run `make extract` first '
                ~ '(it creates ops and reads the API into raw).'
            ) }}
        {%- endif -%}
        {{ return('') }}
    {%- endif -%}
    {%- do run_query(start_run_sql(publishes)) -%}
    {{ return('') }}
{% endmacro %}

{% macro start_run_sql(publishes) %}
{%- set specs = mirror_specs() %}
begin;
set local lock_timeout = '30s';
{{ refuse_when_locked_sql() }}
{{ reader_role_sql() }}
{% if not spec_problems(specs) -%}
{{ ensure_mirror_tables_sql(specs) }}
{%- endif %}
{{ reader_grants_sql() }}
{% if publishes and not env_var('FORTYTWO_RUN_ID', '') -%}
{{ open_run_sql() }}
{%- endif %}
commit;
{% endmacro %}

{% macro ops_exists() -%}
    {{ return(run_query("select to_regclass('ops.candidates') is not null").rows[0][0]) }}
{%- endmacro %}

{#-
    The run lock, `pg_advisory_lock(42, 21)`, is held by `make sync` and `make extract` for their whole
    run, under an application_name that ends with the run's id. dbt opens a connection a node, so a
    bare build cannot hold it; two bare builds are told apart in lock_candidates_sql.
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
        {%- if env_var('FORTYTWO_RUN_ID', '') %}
        and right(activity.application_name, {{ env_var('FORTYTWO_RUN_ID') | length }})
            <> {{ sql_text(env_var('FORTYTWO_RUN_ID')) }}
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

{#- Post-hook of every mart: which run built it, and with how many rows (see lock_candidates_sql). -#}
{% macro stamp_candidate() %}
    {%- if not execute or target.type != 'postgres' or build_gaps() -%}
        {{ return('') }}
    {%- endif -%}
insert into ops.candidates (table_name, relation, run_id, rows)
select
    {{ sql_text(this.identifier) }}, {{ sql_text(this) }}::regclass, {{ sql_text(invocation_id) }}, count(*)
from {{ this }}
on conflict (table_name) do update
set relation = excluded.relation, run_id = excluded.run_id, built_at = now(), rows = excluded.rows
{% endmacro %}
