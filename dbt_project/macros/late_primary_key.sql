{#-
    A mart's primary key, made when its rows are there: to keep an index while 1.6 million rows go in
    costs three times as much as to build it after them. dbt's own puts it into `create table`.
-#}
{% macro postgres__get_table_columns_and_constraints() %}
    {%- set columns = {} -%}
    {%- for column in model.columns.values() -%}
        {%- set others = column.constraints | rejectattr('type', 'equalto', 'primary_key') | list -%}
        {%- do columns.update({column.name: dict(column, constraints=others)}) -%}
    {%- endfor -%}
    {%- set rendered = adapter.render_raw_columns_constraints(raw_columns=columns) -%}
    {%- do rendered.extend(adapter.render_raw_model_constraints(raw_constraints=
        model.constraints | rejectattr('type', 'equalto', 'primary_key') | list)) -%}
    {{ return('(' ~ rendered | join(', ') ~ ')') }}
{% endmacro %}

{#- Post-hook of every mart, in the transaction that creates it. -#}
{% macro add_primary_key() %}
    {%- set primary_key = mirror_spec(model).primary_key if execute else [] -%}
    {%- if not primary_key or target.type != 'postgres' -%}
        {{ return('') }}
    {%- endif -%}
alter table {{ this }} add primary key ({{ column_list(primary_key) }})
{% endmacro %}
