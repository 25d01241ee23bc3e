{#-
    on-run-start: where raw is files (`make copy DESTINATION=filesystem`), tables of those of one moment, by
    the manifest (extract/load/lake.py). Not views: whatever stands on them would infer the files' columns
    anew, and would fail when the copy after the next one removes them.
-#}
{% macro read_copy() -%}
    {{ return(adapter.dispatch('read_copy')()) }}
{%- endmacro %}

{% macro default__read_copy() -%}
{%- endmacro %}

{% macro spark__read_copy() -%}
    {%- if not execute or flags.WHICH not in ['build', 'run', 'test'] -%}
        {{ return('') }}
    {%- endif -%}
    {%- set folder = env_var('DESTINATION__FILESYSTEM__BUCKET_URL') ~ '/raw/' -%}
    {%- set manifest = fromjson(run_query('select value from text.`' ~ folder ~ 'manifest.json`').rows[0][0]) -%}
    {%- do run_query('create schema if not exists raw') -%}
    {%- for name, table in manifest.tables.items() -%}
        {%- set rows -%}
create table raw.{{ name }} using parquet as
select {% for column in table.columns %}live.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
from (
    {% for file in table.files -%}
        select * from parquet.`{{ folder ~ file.name }}` {{ 'union all' if not loop.last }}
    {% endfor -%}
) as live
            {%- if table.gone %}
left anti join (
    {% for file in table.gone -%}
        select * from parquet.`{{ folder ~ file.name }}` {{ 'union all' if not loop.last }}
    {% endfor -%}
) as gone
    on {% for column in table.key %}live.{{ column }} = gone.{{ column }} and {% endfor %}live._copy < gone._copy
            {%- endif -%}
        {%- endset -%}
        {%- do run_query('drop table if exists raw.' ~ name) -%}
        {%- do run_query(rows) -%}
    {%- endfor -%}
{%- endmacro %}
