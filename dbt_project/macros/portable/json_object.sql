{#- A JSON object of these names and the values of these columns. -#}
{% macro json_object(columns) -%}
    {%- set pairs = [] -%}
    {%- for name, column in columns.items() -%}
        {%- do pairs.append("'" ~ name ~ "', " ~ column) -%}
    {%- endfor -%}
    {{ return(adapter.dispatch('json_object')(pairs)) }}
{%- endmacro %}

{% macro postgres__json_object(pairs) -%}
    jsonb_build_object({{ pairs | join(', ') }})
{%- endmacro %}

{% macro duckdb__json_object(pairs) -%}
    json_object({{ pairs | join(', ') }})
{%- endmacro %}

{% macro spark__json_object(pairs) -%}
    to_json(named_struct({{ pairs | join(', ') }}), map('ignoreNullFields', 'false'))
{%- endmacro %}
