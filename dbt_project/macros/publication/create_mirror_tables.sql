{#- A table of mirror as its mart's contract has it. Foreign keys come with the first publication. -#}
{% macro create_mirror_table_sql(spec) -%}
create table {{ spec.live }} (
    {%- for column in spec.columns.values() %}
    {{ adapter.quote(column.name) }} {{ column.type }}{{ ' not null' if column.not_null }},
    {%- endfor %}
    primary key ({{ column_list(spec.primary_key) }})
);
{%- endmacro %}

{#-
    The schema and the tables that mirror lacks, empty. Models over mirror (reports) are built before the
    first publication, so they need something to refer to; for the same reason a column that such a model
    names is added here, empty, when the contract has gained it. The publication does the rest.
-#}
{% macro ensure_mirror_tables_sql(specs) -%}
{%- set state = catalog_state(mirror_schema()) -%}
{%- set sources_read = mirror_readers_code() -%}
{%- for spec in specs if spec.name not in state -%}
{%- if loop.first %}
do $schema$
begin
    if to_regnamespace('{{ mirror_schema() }}') is null then
        create schema {{ mirror_schema() }};
        comment on schema {{ mirror_schema() }}
            is 'The mirror of the 42 API: complete, free of orphans, published in one piece.';
    end if;
end
$schema$;
{%- endif %}
{{ create_mirror_table_sql(spec) }}
{{ comments_sql(spec, {'columns': {}}) }}
{%- endfor -%}
{%- for spec in specs if spec.name in state and spec.name in sources_read -%}
{%- for column in spec.columns.values()
    if column.name not in state[spec.name].columns
    and modules.re.search('\\b' ~ modules.re.escape(column.name) ~ '\\b', sources_read[spec.name]) %}
{{ lock_for_migration_sql([spec]) }}
alter table {{ spec.live }} add column {{ adapter.quote(column.name) }} {{ column.type }};
{%- endfor -%}
{%- endfor -%}
{%- endmacro %}

{#- By table of mirror: the SQL of all reports over it. -#}
{% macro mirror_readers_code() %}
    {%- set code = {} -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.fqn[1] == 'reports' -%}
        {%- for unique_id in node.depends_on.nodes if is_mart(graph.nodes[unique_id]) -%}
            {%- set table = graph.nodes[unique_id].alias -%}
            {%- do code.update({table: code.get(table, '') ~ ' ' ~ node.raw_code}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(code) }}
{% endmacro %}

{#- Comments that differ from what the database has. -#}
{% macro comments_sql(spec, state) -%}
{%- if spec.description and spec.description != state.comment %}
comment on table {{ spec.live }} is {{ sql_text(spec.description) }};
{%- endif -%}
{%- for column in spec.columns.values()
    if column.description and column.description != state.columns.get(column.name, {}).get('comment') %}
comment on column {{ spec.live }}.{{ adapter.quote(column.name) }} is {{ sql_text(column.description) }};
{%- endfor -%}
{%- endmacro %}
