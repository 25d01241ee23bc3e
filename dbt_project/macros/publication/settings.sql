{#- What the publication may be told from outside; extract/base/settings.py refuses the same in the same words. -#}
{% macro publication_settings() %}
    {%- set fraction = env_var('MAX_DELETE_FRACTION', '') or '0.1' -%}
    {%- if not 0 <= fraction | float(-1) <= 1 -%}
        {{ exceptions.raise_compiler_error(
            "MAX_DELETE_FRACTION is '" ~ fraction ~ "'; it must be a share between 0 and 1, like 0.1."
        ) }}
    {%- endif -%}
    {%- set days = env_var('CHANGES_RETENTION_DAYS', '') or '90' -%}
    {%- if not days.isdecimal() -%}
        {{ exceptions.raise_compiler_error(
            "CHANGES_RETENTION_DAYS is '" ~ days ~ "'; it must be a whole number such as 90."
        ) }}
    {%- endif -%}
    {{ return({
        'allow_deletes': env_var('ALLOW_DELETES', '') | lower in ['1', 'true', 'yes', 'on'],
        'max_delete_fraction': fraction | float,
        'min_guarded_rows': 20,
        'retention_days': days | int,
        'lock_attempts': 60,
        'guard_hint': 'The limit is ' ~ '%g' % (fraction | float * 100)
            ~ ' % of a table. If this is right, run once more with ALLOW_DELETES=1.',
    }) }}
{% endmacro %}

{#- ops.runs' key: the sync that started this dbt, or this invocation when dbt was called by hand. -#}
{% macro run_id() -%}
    {{ env_var('FORTYTWO_RUN_ID', '') or invocation_id }}
{%- endmacro %}

{% macro sql_text(value) -%}
    '{{ (value | string).replace("'", "''") }}'
{%- endmacro %}
