{#- When clocks in a time zone show a midnight: the first time, where they are put back to it. -#}
{% macro at_local_midnight(midnight, time_zone) -%}
    {%- if target.type in ['postgres', 'duckdb'] -%}
        {#- `at time zone` gives the second time: the first is an hour after 23:00 of the day before. -#}
        {%- set at_zone = 'at time zone ' ~ time_zone -%}
        {%- set second = '(' ~ midnight ~ ') ' ~ at_zone -%}
        {%- set first = '(' ~ midnight ~ " - interval '1 hour') " ~ at_zone ~ " + interval '1 hour'" -%}
        case
            when ({{ first }}) {{ at_zone }} >= {{ midnight }} then least({{ first }}, {{ second }})
            else {{ second }}
        end
    {%- else -%}
        to_utc_timestamp({{ midnight }}, {{ time_zone }})
    {%- endif -%}
{%- endmacro %}

{#- The days from one to another, both included, one a row; each is its midnight, without a time zone. -#}
{% macro each_day(first, last) -%}
    {%- if target.type == 'postgres' -%}
        generate_series(date_trunc('day', {{ first }}), {{ last }}, interval '1 day')
    {%- elif target.type == 'duckdb' -%}
        unnest(generate_series(date_trunc('day', {{ first }})::timestamp, {{ last }}, interval '1 day'))
    {%- else -%}
        explode(sequence(date_trunc('day', {{ first }}), {{ last }}, interval '1 day'))
    {%- endif -%}
{%- endmacro %}

{#- Seconds from one moment to a later one. -#}
{% macro seconds_between(earlier, later) -%}
    {%- if target.type in ['postgres', 'duckdb'] -%}
        extract(epoch from {{ later }} - {{ earlier }})
    {%- else -%}
        ((unix_micros({{ later }}) - unix_micros({{ earlier }})) / 1000000)
    {%- endif -%}
{%- endmacro %}

{#- The time zones that the engine knows, a relation with `name`. -#}
{% macro time_zone_names() -%}
    {%- if target.type in ['postgres', 'duckdb'] -%}
        pg_timezone_names()
    {%- else -%}
        (
            select explode(
                split(trim(both '[]' from reflect('java.time.ZoneId', 'getAvailableZoneIds')), ', ')
            ) as name
        )
    {%- endif -%}
{%- endmacro %}

{#-
    The end of the last good run: what was read after it is in raw, and not in mirror yet. Elsewhere raw is
    copied and built whole.
-#}
{% macro published_until() %}
    {%- if target.type == 'postgres' -%}
        (
            select max(coalesce(published_at, finished_at))
            from {{ source('ops', 'runs') }}
            where published_at is not null or status = 'unchanged'
        )
    {%- else -%}
        timestamptz '9999-12-31'
    {%- endif -%}
{%- endmacro %}
