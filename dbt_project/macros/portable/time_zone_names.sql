{#- The time zones that the engine knows, a relation with `name`. -#}
{% macro time_zone_names() -%}
    {{ return(adapter.dispatch('time_zone_names')()) }}
{%- endmacro %}

{% macro default__time_zone_names() -%}
    pg_timezone_names()
{%- endmacro %}

{% macro spark__time_zone_names() -%}
    (
        select explode(
            split(trim(both '[]' from reflect('java.time.ZoneId', 'getAvailableZoneIds')), ', ')
        ) as name
    )
{%- endmacro %}
