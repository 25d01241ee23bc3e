{#-
    `dbt --quiet run-operation show_publication` prints the script that a publication would run now,
    for reading: it needs candidates in marts, and running it by hand fails, because they are of
    another run.
-#}
{% macro show_publication() %}
    {%- do print(publication_sql()) -%}
{% endmacro %}
