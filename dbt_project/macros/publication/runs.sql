{#- ops.runs: what dbt adds to it. A sync makes its own row and names it in FORTYTWO_RUN_ID. -#}

{% macro open_run_sql() -%}
-- A bare build that was killed could not say so itself.
update ops.runs
set status = 'failed', finished_at = now(), message = 'ended without publishing: killed, or the publication failed'
where mode = 'build' and status = 'running';
insert into ops.runs (run_id, mode, status, started_at, allow_deletes, versions)
values (
    {{ sql_text(run_id()) }}, 'build', 'running', {{ sql_text(run_started_at) }}, {{ deletes_allowed() }},
    {{ versions_sql() }}
)
on conflict (run_id) do nothing;
{%- endmacro %}

{% macro versions_sql() -%}
    jsonb_build_object(
        'dbt-core', {{ sql_text(dbt_version) }}, 'postgresql', current_setting('server_version_num')
    )
{%- endmacro %}

{% macro record_run_sql() -%}
insert into ops.runs as run (
    run_id, mode, status, started_at, finished_at, published_at,
    rows, rejected, changes, seconds, versions, allow_deletes
)
select
    {{ sql_text(run_id()) }},
    'build',
    'published',
    {{ sql_text(run_started_at) }},
    clock_timestamp(),
    now(),
    jsonb_object_agg(table_name, rows),
    (
        select coalesce(jsonb_object_agg(by_rule.rule, by_rule.rows), '{}')
        from (
            select rejections.rule, count(*) as rows from ops.rejections
            where rejections.gone_at is null
            group by rejections.rule
        ) as by_rule
    ),
    jsonb_object_agg(table_name, jsonb_build_object(
        'inserted', inserted, 'updated', updated, 'deleted', deleted
    )),
    jsonb_build_object('publish', round(extract(epoch from clock_timestamp() - now())::numeric, 2)),
    {{ versions_sql() }},
    {{ deletes_allowed() }}
from pg_temp.publication
on conflict (run_id) do update
set
    status = excluded.status,
    -- A sync has work left after dbt; it says itself when it is done.
    finished_at = case when run.mode = 'build' then excluded.finished_at else run.finished_at end,
    published_at = excluded.published_at,
    rows = excluded.rows,
    rejected = excluded.rejected,
    changes = excluded.changes,
    seconds = coalesce(run.seconds, '{}') || excluded.seconds,
    versions = coalesce(run.versions, excluded.versions),
    allow_deletes = excluded.allow_deletes,
    message = null;
{%- endmacro %}

{#- A build that does not publish: its run, if it has one, ends here. -#}
{% macro close_run_sql(gaps) -%}
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

{#- On the terminal, also under --quiet: why mirror stays as it is. -#}
{% macro explain_gaps(gaps) -%}
    {%- do print('Nothing was published; mirror is as it was. The reason:') -%}
    {%- for gap in gaps -%}
        {%- do print('  - ' ~ gap) -%}
    {%- endfor -%}
{%- endmacro %}

{#- What the test of the deletion guard found, in words. -#}
{% macro deletion_gaps(results) -%}
    {%- set gaps = [] -%}
    {%- if failed_deletion_guard(results) -%}
        {%- for row in run_query(deletions_above_limit_sql(var('published_tables'))) -%}
            {%- do gaps.append(
                'it would delete ' ~ row['deletions'] ~ ' of ' ~ row['live_rows'] ~ ' rows of '
                ~ row['table_name']
            ) -%}
        {%- endfor -%}
        {%- do gaps.append(guard_hint()) -%}
    {%- endif -%}
    {{ return(gaps) }}
{%- endmacro %}

{% macro failed_deletion_guard(results) -%}
    {%- for result in results
        if result.node.name == 'assert_deletions_within_limit' and result.status | string == 'fail' -%}
        {{ return(true) }}
    {%- endfor -%}
    {{ return(false) }}
{%- endmacro %}

{#- on-run-end, after publish(): what was published, in one line a table. -#}
{% macro report_publication() %}
    {%- if not execute or flags.WHICH != 'build' or target.type != 'postgres' or build_gaps(results) -%}
        {{ return('') }}
    {%- endif -%}
    {%- set query -%}
select
    changed.key as table_name,
    (changed.value ->> 'inserted')::bigint as inserted,
    (changed.value ->> 'updated')::bigint as updated,
    (changed.value ->> 'deleted')::bigint as deleted,
    (run.rows ->> changed.key)::bigint as total,
    run.seconds ->> 'publish' as seconds
from ops.runs as run
cross join lateral jsonb_each(run.changes) as changed
where run.run_id = {{ sql_text(run_id()) }} and run.status = 'published'
order by changed.key
    {%- endset -%}
    {%- set tables = run_query(query) -%}
    {%- set changed = [] -%}
    {%- for table in tables if table['inserted'] + table['updated'] + table['deleted'] > 0 -%}
        {%- do changed.append(table) -%}
    {%- endfor -%}
    {%- if tables | length > 0 -%}
        {%- do log(
            'Published to ' ~ mirror_schema() ~ ' in ' ~ tables[0]['seconds'] ~ ' s: '
            ~ (changed | length ~ ' of ' ~ tables | length ~ ' tables changed.' if changed
                else 'nothing had changed.'), info=true
        ) -%}
    {%- endif -%}
    {%- for table in changed -%}
        {%- do log(
            '  %-20s %+9d new %9d changed %+9d deleted %10d rows'
            | format(table['table_name'], table['inserted'], table['updated'], -table['deleted'],
                table['total']), info=true
        ) -%}
    {%- endfor -%}
    {{ return('') }}
{% endmacro %}
