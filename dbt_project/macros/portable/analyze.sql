{#- Post-hook of tables: dbt analyzes nothing that it creates. Spark's planner goes by the files' sizes. -#}
{% macro analyze(relation) -%}
    {{ 'analyze ' ~ relation if target.type != 'spark' }}
{%- endmacro %}
