{#- The days from one to another, both included, one a row; each is its midnight, without a time zone. -#}
{% macro each_day(first, last) -%}
    {{ return(adapter.dispatch('each_day')(first, last)) }}
{%- endmacro %}

{% macro postgres__each_day(first, last) -%}
    generate_series(date_trunc('day', {{ first }}), {{ last }}, interval '1 day')
{%- endmacro %}

{% macro duckdb__each_day(first, last) -%}
    unnest(generate_series(date_trunc('day', {{ first }})::timestamp, {{ last }}, interval '1 day'))
{%- endmacro %}

{% macro spark__each_day(first, last) -%}
    explode(sequence(date_trunc('day', {{ first }}), {{ last }}, interval '1 day'))
{%- endmacro %}
