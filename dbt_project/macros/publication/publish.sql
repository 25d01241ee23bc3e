{#-
    on-run-end: bring mirror to the content of marts, in one transaction, when the whole build was green.
    Returns the SQL for dbt to run, because dbt reports a failing script as a failed hook and exits 1,
    and commits each statement by itself unless the script brings its own begin and commit.
-#}
{% macro publish() %}
    {%- if not execute or flags.WHICH not in ['build', 'run'] or target.type != 'postgres' -%}
        {{ return('') }}
    {%- endif -%}
    {%- set gaps = build_gaps(results) + deletion_gaps(results) -%}
    {%- if gaps -%}
        {%- do explain_gaps(gaps) -%}
        {{ return(close_run_sql(gaps)) }}
    {%- endif -%}
    {{ return(publication_sql()) }}
{% endmacro %}

{% macro publication_sql() %}
{%- set specs = mirror_specs() -%}
{%- set problems = spec_problems(specs) -%}
{%- if problems -%}
    {{ return(refuse_sql('Nothing was published: ' ~ problems | join('; ') ~ '.')) }}
{%- endif -%}
{%- set live = catalog_state(mirror_schema()) -%}
{%- set candidates = catalog_state(specs[0].candidate_schema) -%}
{%- set migrations = {} -%}
{%- set empty = empty_tables(specs | map(attribute='name') | select('in', live) | list) -%}
{%- for spec in specs -%}
    {%- for column in spec.columns.values() -%}
        {%- do column.update({'candidate_type': candidates[spec.name].columns[column.name].type}) -%}
    {%- endfor -%}
    {%- if spec.name not in live -%}
        {%- do migrations.update({spec.name: none}) -%}
    {%- else -%}
        {%- do migrations.update({spec.name: migration(spec, live[spec.name], candidates[spec.name])}) -%}
    {%- endif -%}
{%- endfor -%}
begin;
set local lock_timeout = '30s';
set local statement_timeout = 0;
set local work_mem = '64MB';
-- Changes are grouped by sorting: hashing would hold every key of a first publication in memory.
set local enable_hashagg = off;
-- Keys in no order, looked up one by one through an index, take three times as long as a hash join of
-- the whole tables; what servers set for their disks (1.1) hides that. Workers would triple its memory.
set local random_page_cost = 4;
set local max_parallel_workers_per_gather = 0;
set local timezone = 'UTC';
-- One publication at a time, also when the client of the one before is gone but its server is not.
select pg_advisory_xact_lock(42, 22);

{{ lock_candidates_sql(specs) }}
{% for spec in specs if spec.name not in live %}
{{ create_mirror_table_sql(spec) }}
{{ comments_sql(spec, {'columns': {}}) }}
{%- do live.update({spec.name: created_state(spec, candidates[spec.name])}) -%}
{%- do empty.append(spec.name) -%}
{%- do migrations.update({spec.name: migration(spec, live[spec.name], candidates[spec.name])}) -%}
{% endfor %}

-- What differs
{% for spec in specs %}
{{ diff_sql(spec, live[spec.name]) }}
{% endfor %}
create temporary table publication (
    table_name text primary key, inserted bigint, updated bigint, deleted bigint, rows bigint
) on commit drop;
{% for spec in specs -%}
insert into pg_temp.publication (table_name, inserted, updated, deleted)
select
    {{ sql_text(spec.name) }},
    count(*) filter (where _action = 'insert'),
    count(*) filter (where _action = 'update'),
    count(*) filter (where _action = 'delete')
from {{ changed_table(spec) }};
{% endfor %}
{{ guard_publication_sql(specs) }}

-- The new state
{%- set exclusive = [] -%}
{%- for spec in specs if migrations[spec.name].exclusive -%}
    {%- do exclusive.append(spec) -%}
{%- endfor %}
{%- if exclusive %}
{{ lock_for_migration_sql(exclusive) }}
{{ report_definitions_sql() }}
{%- endif -%}
{% for spec in specs -%}
{{ migrate_before_sql(spec, live[spec.name], migrations[spec.name]) }}
{%- endfor %}
create temporary table put_aside (relation regclass, statement text) on commit drop;
{%- for spec in specs if spec.name in empty %}
{{ prepare_first_rows_sql(spec) }}
{%- endfor %}
set constraints all deferred;
{% for spec in specs %}
{{ update_sql(spec) }}
{% endfor -%}
{% for spec in specs | reverse %}
{{ delete_sql(spec) }}
{% endfor -%}
{% for spec in specs %}
{{ insert_sql(spec, is_first=spec.name in empty) }}
{% endfor -%}
-- Every foreign key of the new state is checked here; those of a table's first rows, all at once, below.
set constraints all immediate;
{% for spec in specs -%}
{%- if spec.name in empty %}
{{ finish_first_rows_sql(spec) }}
{%- endif -%}
{{ migrate_after_sql(spec, live[spec.name], migrations[spec.name]) }}
{%- endfor %}
{{ verify_publication_sql(specs) }}

-- The record
{% for spec in specs %}
{{ record_changes_sql(spec) }}
{% endfor %}
{{ record_rejections_sql() }}
delete from ops.change_sets
where changed_at < now() - interval '{{ changes_retention_days() }} days';
{{ record_run_sql() }}
{{ analyze_published_sql() }}
commit;
{% endmacro %}

{#- Marts that cannot be published for what their contract lacks. -#}
{% macro spec_problems(specs) %}
    {%- set problems = [] -%}
    {%- if not specs -%}
        {%- do problems.append('there is no model in models/marts') -%}
    {%- endif -%}
    {%- for spec in specs -%}
        {%- if not spec.primary_key -%}
            {%- do problems.append('the contract of ' ~ spec.name ~ ' names no primary key') -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(problems) }}
{% endmacro %}

{% macro refuse_sql(message) -%}
do $refusal$ begin raise exception using message = {{ sql_text(message) }}; end $refusal$;
{%- endmacro %}

{#- What a table that this script has just made looks like, for the comparisons that follow. -#}
{% macro created_state(spec, candidate) %}
    {%- set columns = {} -%}
    {%- for column in spec.columns.values() -%}
        {%- do columns.update({column.name: {
            'type': candidate.columns[column.name].type, 'not_null': column.not_null,
            'comment': column.description,
        }}) -%}
    {%- endfor -%}
    {{ return({
        'comment': spec.description, 'columns': columns, 'keys': [], 'indexes': [spec.primary_key],
    }) }}
{% endmacro %}

{#-
    Hold the candidates still and make sure that they are the ones this run built and tested. dbt keeps
    no connection between its nodes, so a bare `dbt build` cannot hold the run lock; this stands in.
-#}
{% macro lock_candidates_sql(specs) -%}
lock table {{ specs | map(attribute='candidate') | join(', ') }} in access share mode;
do $candidates$
declare
    foreign_tables text := (
        select string_agg(expected.name, ', ')
        from (values
            {%- for spec in specs %}
            ({{ sql_text(spec.name) }}, {{ sql_text(spec.candidate) }}::regclass::oid)
            {{- ',' if not loop.last }}
            {%- endfor %}
        ) as expected (name, relation)
        left join ops.candidates
            on expected.name = candidates.table_name and expected.relation = candidates.relation
        where candidates.run_id is distinct from {{ sql_text(invocation_id) }}
    );
begin
    if foreign_tables is not null then
        raise exception using
            message = 'Nothing was published: another dbt run has rebuilt ' || foreign_tables
                || ' since this one tested it.',
            hint = 'Run one build at a time; the next complete `dbt build` publishes.';
    end if;
end
$candidates$;
{%- endmacro %}

{#- mirror is the candidate, row for row: else a row referred to a parent that went, and went with it. -#}
{% macro verify_publication_sql(specs) -%}
do $verify$
declare
    built bigint;
    expected bigint;
    published bigint;
begin
    {%- for spec in specs %}
    select count(*) into published from {{ spec.live }};
    select count(*) into expected from {{ spec.candidate }};
    select candidates.rows into built from ops.candidates
    where candidates.table_name = {{ sql_text(spec.name) }};
    if expected <> built then
        raise exception using message = format(
            'Nothing was published: the candidate of {{ spec.name }} has %s rows, but was built and '
            'tested with %s. A restart of the server empties it; run again.', expected, built
        );
    elsif published <> expected then
        raise exception using message = format(
            'Nothing was published: {{ spec.name }} would have %s rows instead of %s, because rows '
            'of it refer to a parent that is gone.', published, expected
        );
    end if;
    update pg_temp.publication set rows = published where table_name = {{ sql_text(spec.name) }};
    {%- endfor %}
end
$verify$;
{%- endmacro %}

{#- Statistics for the planner where more than a tenth of a table changed; autovacuum does the rest. -#}
{% macro analyze_published_sql() -%}
do $analyze$
declare
    entry record;
begin
    for entry in
        select table_name from pg_temp.publication
        where inserted + updated + deleted > rows / 10
    loop
        execute format('analyze {{ mirror_schema() }}.%I', entry.table_name);
    end loop;
end
$analyze$;
{%- endmacro %}
