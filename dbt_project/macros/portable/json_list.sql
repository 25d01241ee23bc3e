{#- The elements of a JSON list, one a row; none for SQL null, JSON null or anything but a list. -#}
{% macro json_list(column, as_text=false) -%}
    {{ return(adapter.dispatch('json_list')(column, as_text)) }}
{%- endmacro %}

{% macro postgres__json_list(column, as_text) -%}
    jsonb_array_elements{{ '_text' if as_text }}(
        case when jsonb_typeof({{ column }}) = 'array' then {{ column }} end
    )
{%- endmacro %}

{% macro duckdb__json_list(column, as_text) -%}
    unnest(json_extract{{ '_string' if as_text }}({{ column }}, '$[*]'))
{%- endmacro %}

{#- Elements that are texts lose their quotes, all others are JSON: as text or not is the same. -#}
{% macro spark__json_list(column, as_text) -%}
    explode(from_json({{ column }}, 'array<string>'))
{%- endmacro %}
