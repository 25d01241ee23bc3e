{#-
    What a table of mirror needs to become its candidate, in a temporary table: the key of every row that
    differs, what is to be done with it, and for an update which columns. Null equals null here. Columns
    that the contract has gained or retyped are compared as they will be.
-#}
{% macro diff_sql(spec, live) -%}
{%- set compared = spec.columns.values() | rejectattr('name', 'in', spec.primary_key) | list -%}
{%- set first_key = adapter.quote(spec.primary_key[0]) -%}
create temporary table {{ changed_table(spec) }} on commit drop as
select
    {%- for name in spec.primary_key %}
    coalesce(next.{{ adapter.quote(name) }}, live.{{ adapter.quote(name) }}) as {{ adapter.quote(name) }},
    {%- endfor %}
    case
        when next.{{ first_key }} is null then 'delete'
        when live.{{ first_key }} is null then 'insert'
        else 'update'
    end as _action,
    {%- if compared %}
    case when next.{{ first_key }} is not null and live.{{ first_key }} is not null then
        array_remove(array[
            {%- for column in compared %}
            case when {{ comparable(column, live, spec, 'live') }}
                is distinct from {{ comparable(column, live, spec, 'next') }}
                then {{ sql_text(column.name) }} end{{ ',' if not loop.last }}
            {%- endfor %}
        ], null)
    end as _columns
    {%- else %}
    null::text[] as _columns
    {%- endif %}
from {{ spec.live }} as live
full join {{ spec.candidate }} as next
    on {% for name in spec.primary_key -%}
        live.{{ adapter.quote(name) }} = next.{{ adapter.quote(name) }}{{ ' and ' if not loop.last }}
    {%- endfor %}
where
    live.{{ first_key }} is null
    or next.{{ first_key }} is null
    {%- for column in compared %}
    or {{ comparable(column, live, spec, 'live') }}
        is distinct from {{ comparable(column, live, spec, 'next') }}
    {%- endfor %};
analyze {{ changed_table(spec) }};
{%- endmacro %}

{% macro changed_table(spec) -%}
    pg_temp.{{ adapter.quote('changed_' ~ spec.name) }}
{%- endmacro %}

{#- One side of a comparison. Types without an equality of their own are compared as text. -#}
{% macro comparable(column, live, spec, side) -%}
    {%- set type = column.type | lower -%}
    {%- set plain = ['json', 'xml', 'point', 'polygon'] -%}
    {%- if side == 'live' and column.name not in live.columns -%}
        null::{{ 'text' if type in plain else column.type }}
    {%- else -%}
        {{ side }}.{{ adapter.quote(column.name) }}
        {%- if type in plain -%}
            ::text
        {%- elif side == 'live' and live.columns[column.name].type != column.candidate_type -%}
            ::{{ column.type }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
