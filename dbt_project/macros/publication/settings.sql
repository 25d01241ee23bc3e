{#- What the publication may be told from outside: the environment first, then a dbt var, then the default. -#}
{% macro publication_settings() %}
    {%- set fraction = number_setting('max_delete_fraction', 0.1) -%}
    {{ return({
        'allow_deletes': env_var('ALLOW_DELETES', '') | lower in ['1', 'true', 'yes', 'on'],
        'max_delete_fraction': fraction,
        'min_guarded_rows': number_setting('min_guarded_rows', 20),
        'retention_days': number_setting('changes_retention_days', 90) | int,
        'lock_attempts': number_setting('migration_lock_attempts', 60) | int,
        'guard_hint': 'The limit is ' ~ '%g' % (fraction * 100)
            ~ ' % of a table. If this is right, run once more with ALLOW_DELETES=1.',
    }) }}
{% endmacro %}

{% macro number_setting(name, default) -%}
    {{ return((env_var(name | upper, '') or var(name, default)) | as_number) }}
{%- endmacro %}

{#- ops.runs' key: the sync that started this dbt, or this invocation when dbt was called by hand. -#}
{% macro run_id() -%}
    {{ env_var('FORTYTWO_RUN_ID', '') or invocation_id }}
{%- endmacro %}

{% macro sql_text(value) -%}
    '{{ (value | string).replace("'", "''") }}'
{%- endmacro %}
