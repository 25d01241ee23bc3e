{#- ops.runs: what dbt adds to it. A sync makes its own row and names it in FORTYTWO_RUN_ID. -#}

{% macro versions_sql() -%}
    jsonb_build_object(
        'dbt-core', {{ sql_text(dbt_version) }}, 'postgresql', current_setting('server_version_num')
    )
{%- endmacro %}

{#- A build that does not publish: the terminal says why, also under --quiet, and its run ends here. -#}
{% macro close_run_sql(gaps) -%}
{%- do print('Nothing was published; mirror is as it was. The reason:') -%}
{%- for gap in gaps -%}
    {%- do print('  - ' ~ gap) -%}
{%- endfor -%}
do $run$
begin
    if to_regclass('ops.runs') is not null then
        update ops.runs
        set
            status = 'failed',
            finished_at = case when mode = 'build' then clock_timestamp() else finished_at end,
            message = {{ sql_text('Nothing was published: ' ~ gaps | join('; ')) }}
        where run_id = {{ sql_text(run_id()) }} and status in ('running', 'loaded');
    end if;
end
$run$;
{%- endmacro %}

{#- on-run-end, after publish(): what was published, in one line a table. -#}
{% macro report_publication() %}
    {%- if not execute or flags.WHICH != 'build' or target.type != 'postgres' or build_gaps(results) -%}
        {{ return('') }}
    {%- endif -%}
    {%- set query -%}
select
    format(
        '  %-20s %9s new %9s changed %9s deleted %10s rows', table_name,
        change ->> 'inserted', change ->> 'updated', change ->> 'deleted', run.rows ->> table_name
    ) as line,
    run.seconds ->> 'publish' as seconds,
    jsonb_path_exists(change, '$.* ? (@ > 0)') as is_changed
from ops.runs as run
cross join lateral jsonb_each(run.changes) as changed (table_name, change)
where run.run_id = {{ sql_text(run_id()) }} and run.status = 'published'
order by table_name
    {%- endset -%}
    {%- set tables = run_query(query).rows -%}
    {%- set changed = tables | selectattr('is_changed') | list -%}
    {%- if tables -%}
        {%- do log('Published to mirror in ' ~ tables[0]['seconds'] ~ ' s: ' ~ (
            changed | length ~ ' of ' ~ tables | length ~ ' tables changed.' if changed
            else 'nothing had changed.'
        ), info=true) -%}
    {%- endif -%}
    {%- for table in changed -%}
        {%- do log(table['line'], info=true) -%}
    {%- endfor -%}
    {{ return('') }}
{% endmacro %}
