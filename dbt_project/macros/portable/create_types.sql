{#- on-run-start: types that the contracts name and the engine knows by another name. -#}
{% macro create_types() -%}
    {{ return(adapter.dispatch('create_types')()) }}
{%- endmacro %}

{% macro default__create_types() -%}
{%- endmacro %}

{% macro duckdb__create_types() -%}
    create type if not exists jsonb as json
{%- endmacro %}
