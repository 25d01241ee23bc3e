{#-
    First post-hook of every mart: its primary key, `meta: primary_key`. No constraint of the contract, with
    which each row is put into the index as it comes: five times the work. Spark's tables know none.
-#}
{% macro add_primary_key() -%}
    {%- if target.type in ['postgres', 'duckdb'] -%}
        alter table {{ this }} add primary key ({{ model.config.meta.primary_key | join(', ') }})
    {%- endif -%}
{%- endmacro %}

{#- Post-hook of tables: dbt analyzes nothing that it creates. Spark's planner goes by the files' sizes. -#}
{% macro analyze(relation) -%}
    {{ 'analyze ' ~ relation if target.type in ['postgres', 'duckdb'] }}
{%- endmacro %}
