{#- Whether a JSON list holds an object with this `id`; not true for null or anything but a list. -#}
{% macro json_list_has_id(column, id) -%}
    {{ return(adapter.dispatch('json_list_has_id')(column, id)) }}
{%- endmacro %}

{% macro postgres__json_list_has_id(column, id) -%}
    {{ column }} @> jsonb_build_array(jsonb_build_object('id', {{ id }}))
{%- endmacro %}

{% macro duckdb__json_list_has_id(column, id) -%}
    list_contains(json_extract_string({{ column }}, '$[*].id'), ({{ id }})::text)
{%- endmacro %}

{#- An object would be read as a list of one. -#}
{% macro spark__json_list_has_id(column, id) -%}
    case
        when json_array_length({{ column }}) is not null then exists(
            from_json({{ column }}, 'array<struct<id: bigint>>'), element -> element.id = ({{ id }})
        )
    end
{%- endmacro %}
