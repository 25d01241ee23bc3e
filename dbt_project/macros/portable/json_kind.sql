{#- What a JSON value is: array, object, string, null … as PostgreSQL names it. -#}
{% macro json_kind(column) -%}
    {{ return(adapter.dispatch('json_kind')(column)) }}
{%- endmacro %}

{% macro postgres__json_kind(column) -%}
    jsonb_typeof({{ column }})
{%- endmacro %}

{% macro duckdb__json_kind(column) -%}
    lower(json_type({{ column }}))
{%- endmacro %}

{% macro spark__json_kind(column) -%}
    case
        when {{ column }} = 'null' then 'null'
        when json_array_length({{ column }}) is not null then 'array'
        when json_object_keys({{ column }}) is not null then 'object'
        when {{ column }} is not null then 'scalar'
    end
{%- endmacro %}
