{#- ops.runs: what dbt adds to it. A sync makes its own row and names it in FORTYTWO_RUN_ID. -#}

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
select format(
    'Published to mirror in %s s: %s%s', seconds ->> 'publish',
    case count(line) when 0 then 'nothing had changed.'
        else count(line) || ' of ' || count(*) || ' tables changed.' end,
    string_agg(E'\n' || line, '' order by line)
) as summary
from ops.runs
cross join lateral jsonb_each(changes) as changed (table_name, change)
left join lateral (
    select format(
        '  %-20s %9s new %9s changed %9s deleted %10s rows', table_name,
        change ->> 'inserted', change ->> 'updated', change ->> 'deleted', rows ->> table_name
    )
    where jsonb_path_exists(change, '$.* ? (@ > 0)')
) as lines (line) on true
where run_id = {{ sql_text(run_id()) }} and status = 'published'
group by run_id
    {%- endset -%}
    {%- for run in run_query(query) -%}
        {%- for line in run['summary'].split('\n') -%}
            {%- do log(line, info=true) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return('') }}
{% endmacro %}
