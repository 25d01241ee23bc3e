{#- The elements of a jsonb list, one a row; none for SQL null, JSON null or anything but a list. -#}
{% macro json_list(column, as_text=false) -%}
    jsonb_array_elements{{ '_text' if as_text }}(
        case when jsonb_typeof({{ column }}) = 'array' then {{ column }} end
    )
{%- endmacro %}
