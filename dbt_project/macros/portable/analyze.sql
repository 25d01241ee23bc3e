{#- Post-hook of every mart: dbt does not analyze what it creates, and what follows joins these tables. -#}
{% macro analyze(relation) -%}
    {{ return(adapter.dispatch('analyze')(relation)) }}
{%- endmacro %}

{% macro default__analyze(relation) -%}
    analyze {{ relation }}
{%- endmacro %}

{#- Its planner goes by the files' sizes, and by what it finds on the way. -#}
{% macro spark__analyze(relation) -%}
{%- endmacro %}
