{#- What a JSON value is: array, object, string, null … as PostgreSQL names it. -#}
{% macro json_kind(column) -%}
    {%- if target.type == 'postgres' -%}
        jsonb_typeof({{ column }})
    {%- elif target.type == 'duckdb' -%}
        lower(json_type({{ column }}))
    {%- else -%}
        case
            when {{ column }} = 'null' then 'null'
            when json_array_length({{ column }}) is not null then 'array'
            when json_object_keys({{ column }}) is not null then 'object'
            when {{ column }} is not null then 'scalar'
        end
    {%- endif -%}
{%- endmacro %}

{#-
The elements of a JSON list, one a row; none for SQL null, JSON null or anything but a list. An element
may be null, or have an `id` of null: where a row is nothing but this reference, its model leaves it out.
-#}
{% macro json_list(column, as_text=false) -%}
    {%- if target.type == 'postgres' -%}
        jsonb_array_elements{{ '_text' if as_text }}(
            case when jsonb_typeof({{ column }}) = 'array' then {{ column }} end
        )
    {%- elif target.type == 'duckdb' -%}
        unnest(json_extract{{ '_string' if as_text }}({{ column }}, '$[*]'))
    {%- else -%}{#- texts lose their quotes, all others are JSON: as text or not is the same -#}
        explode(from_json({{ column }}, 'array<string>'))
    {%- endif -%}
{%- endmacro %}

{#- A JSON object of these names and the values of these columns. -#}
{% macro json_object(columns) -%}
    {%- set pairs = [] -%}
    {%- for name, column in columns.items() -%}
        {%- do pairs.append("'" ~ name ~ "', " ~ column) -%}
    {%- endfor -%}
    {%- if target.type == 'postgres' -%}
        jsonb_build_object({{ pairs | join(', ') }})
    {%- elif target.type == 'duckdb' -%}
        json_object({{ pairs | join(', ') }})
    {%- else -%}
        to_json(named_struct({{ pairs | join(', ') }}), map('ignoreNullFields', 'false'))
    {%- endif -%}
{%- endmacro %}
