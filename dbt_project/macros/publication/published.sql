{#-
    The published relation of a mart: what was published last, on PostgreSQL the table of the same name in
    mirror. Reports read it and not the candidate, so that they never change because of a failed build. The
    `ref` puts them after the candidate's tests and makes the lineage one graph. Elsewhere, and for the
    fixture of a unit test, it is the mart itself.
-#}
{% macro published(table) %}
    {%- set mart = ref(table) -%}
    {%- if target.type != 'postgres' or mart.is_cte -%}
        {{ return(mart) }}
    {%- endif -%}
    {{ return(mart.incorporate(path={'schema': 'mirror'})) }}
{% endmacro %}
