{#-
    The last version of each day (UTC) of a history, for the last `days` days: one row for each row and day
    on which it was mirrored at the day's end.
-#}
{% macro versions_by_day(versions, days) %}
select
            versions.*,
            day.day::date as day
        from {{ versions }} as versions
        cross join lateral generate_series(
            greatest(
                date_trunc('day', versions.dbt_valid_from at time zone 'UTC'),
                date_trunc('day', now() at time zone 'UTC') - interval '{{ days }} days'
            ),
            coalesce(
                date_trunc('day', versions.dbt_valid_to at time zone 'UTC') - interval '1 day',
                date_trunc('day', now() at time zone 'UTC')
            ),
            interval '1 day'
        ) as day (day)
        where versions.dbt_is_deleted = 'False'
{%- endmacro %}
