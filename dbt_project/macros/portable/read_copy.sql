{#-
    on-run-start, over a copy of raw. DuckDB: refuse one whose tables are not of one moment, by dlt's record of
    loads (extract/load/other_engine.py). Spark, where the copy is files: tables of those of one moment, by the
    manifest (extract/load/lake.py). Not views: whatever stands on them would infer the files' columns anew,
    and would fail when the copy after the next one removes them.
-#}
{% macro read_copy() -%}
    {%- if execute and flags.WHICH in ['build', 'run', 'test'] -%}
        {{ return(adapter.dispatch('read_copy')()) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__read_copy() -%}
{%- endmacro %}

{% macro duckdb__read_copy() -%}
    {%- set loads -%}
select count(*) filter (where status = 0) > 0 and count(*) filter (where status <> 0) = 0
from raw._dlt_loads
    {%- endset -%}
    {%- if not run_query(loads).rows[0][0] -%}
        {{ unfinished_copy() }}
    {%- endif -%}
{%- endmacro %}

{% macro unfinished_copy() -%}
    {{ exceptions.raise_compiler_error(
        'The copy of raw was not finished (killed, or it failed), so that its tables are not of one '
        ~ 'moment. Run `make copy` again.'
    ) }}
{%- endmacro %}

{% macro spark__read_copy() -%}
    {%- set folder = env_var('DESTINATION__FILESYSTEM__BUCKET_URL') ~ '/raw/' -%}
    {%- set manifest = fromjson(run_query('select value from text.`' ~ folder ~ 'manifest.json`').rows[0][0]) -%}
    {%- if not manifest.tables %}{# its first copy was killed: raw would stay as an earlier copy left it -#}
        {{ unfinished_copy() }}
    {%- endif -%}
    {%- do run_query('create schema if not exists raw') -%}
    {%- for name, table in manifest.tables.items() -%}
        {#- one scan of all: a union of so many is a plan on which Spark thinks for minutes -#}
        {%- set live = folder ~ '{' ~ table.files | map(attribute='name') | join(',') ~ '}' -%}
        {%- set gone = folder ~ '{' ~ table.gone | map(attribute='name') | join(',') ~ '}' -%}
        {%- set rows -%}
create table raw.{{ name }} using parquet as
select {% for column in table.columns %}live.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
from parquet.`{{ live }}` as live
            {%- if table.gone %}
left anti join parquet.`{{ gone }}` as gone
    on {% for column in table.key %}live.{{ column }} = gone.{{ column }} and {% endfor %}live._copy < gone._copy
            {%- endif -%}
        {%- endset -%}
        {%- do run_query('drop table if exists raw.' ~ name) -%}
        {%- do run_query(rows) -%}
    {%- endfor -%}
{%- endmacro %}
