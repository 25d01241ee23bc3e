{#- What the publication may be told from outside, and the few names it uses; see docs/operations. -#}

{% macro mirror_schema() -%}
    mirror
{%- endmacro %}

{% macro reader_role() -%}
    mirror_reader
{%- endmacro %}

{#- ops.runs' key: the sync that started this dbt, or this invocation when dbt was called by hand. -#}
{% macro run_id() -%}
    {{ env_var('FORTYTWO_RUN_ID', '') or invocation_id }}
{%- endmacro %}

{% macro deletes_allowed() -%}
    {{ return(env_var('ALLOW_DELETES', '') | lower not in ['', '0', 'false', 'no']) }}
{%- endmacro %}

{#- Environment first, then the dbt var, then the default. -#}
{% macro number_setting(name, default) -%}
    {{ return((env_var(name | upper, '') or var(name | lower, default)) | as_number) }}
{%- endmacro %}

{% macro max_delete_fraction() -%}
    {{ return(number_setting('max_delete_fraction', 0.1)) }}
{%- endmacro %}

{#- A table may always lose this many rows less one: small tables are not worth a question. -#}
{% macro min_guarded_rows() -%}
    {{ return(number_setting('min_guarded_rows', 20)) }}
{%- endmacro %}

{% macro changes_retention_days() -%}
    {{ return(number_setting('changes_retention_days', 90) | int) }}
{%- endmacro %}

{% macro sql_text(value) -%}
    '{{ (value | string).replace("'", "''") }}'
{%- endmacro %}

{#- "id", "login" for ['id', 'login']; live."id", live."login" with a prefix. -#}
{% macro column_list(names, prefix='') -%}
    {%- for name in names -%}
        {{ prefix ~ adapter.quote(name) }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
