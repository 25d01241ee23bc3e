{#- When clocks in a time zone show a time. -#}
{% macro at_local_time(local_time, time_zone) -%}
    {{ return(adapter.dispatch('at_local_time')(local_time, time_zone)) }}
{%- endmacro %}

{% macro default__at_local_time(local_time, time_zone) -%}
    ({{ local_time }}) at time zone {{ time_zone }}
{%- endmacro %}

{% macro spark__at_local_time(local_time, time_zone) -%}
    to_utc_timestamp({{ local_time }}, {{ time_zone }})
{%- endmacro %}
