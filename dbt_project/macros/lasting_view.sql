{#-
    A view that is never dropped while its columns stay: what readers built on it, their grants and
    their running queries live on. dbt's own view is made anew by every build, under a lock that waits
    for all readers, and takes everything that depends on it along.

    An unchanged definition is not touched at all. Columns may be added at the end in place; other
    changes take a new view, and fail, naming them, while views of readers use the old one.

    Staging and intermediate are such views too, for another reason: dbt's own drop what stands on them
    with each build, and two threads that drop at once can wait for each other (a deadlock in one of
    eight builds of a soaked mirror). Nobody but our models stands on them, so a changed one may take
    them along: they come after it.
-#}
{% materialization lasting_view, adapter='postgres' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks, inside_transaction=false) }}
    {{ run_hooks(pre_hooks, inside_transaction=true) }}

    {#- `--empty` and `--sample` limit what the SQL reads: readers must not see such a view. -#}
    {%- if existing and (flags.EMPTY or flags.SAMPLE) -%}
        {%- call noop_statement('main', 'KEPT') -%}{%- endcall -%}
    {%- elif existing and lasting_view_is_unchanged(target, sql) -%}
        {%- call noop_statement('main', 'UNCHANGED') -%}{%- endcall -%}
    {%- else -%}
        {%- call statement('main') -%}
            {{ replace_lasting_view_sql(target, sql) }}
        {%- endcall -%}
        {%- do persist_docs(target, model) -%}
        {{ run_hooks(post_hooks, inside_transaction=true) }}
        {%- do adapter.commit() -%}
    {%- endif -%}

    {{ run_hooks(post_hooks, inside_transaction=false) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{#- Elsewhere readers look at what was built last, and a view is a view. -#}
{% materialization lasting_view, default %}
    {{ return(dbt.materialization_view_default()) }}
{% endmaterialization %}

{#-
    Whether the view has this definition and these descriptions. PostgreSQL prints both definitions in
    the same way, so formatting and SQL comments do not count. The candidate goes with dbt's
    connection, which is closed after each model.
-#}
{% macro lasting_view_is_unchanged(relation, sql) %}
    {%- set candidate = adapter.quote(relation.identifier ~ '__candidate') -%}
    {%- set descriptions = {'': marked(model.description)} -%}
    {%- for column in model.columns.values() -%}
        {%- do descriptions.update({column.name: column.description}) -%}
    {%- endfor -%}
    {%- set query -%}
create temporary view {{ candidate }} as (
{{ sql }}
);
select
    pg_get_viewdef('pg_temp.{{ candidate }}'::regclass) = pg_get_viewdef('{{ relation }}'::regclass)
    and '{{ tojson(descriptions) | replace("'", "''") }}'::jsonb = (
        select jsonb_object_agg(coalesce(attribute.attname, ''), description.description)
        from pg_description as description
        left join pg_attribute as attribute
            on
                description.objoid = attribute.attrelid
                and description.objsubid = attribute.attnum
        where description.objoid = '{{ relation }}'::regclass
    );
    {%- endset -%}
    {{ return(run_query(query).rows[0][0]) }}
{% endmacro %}

{% macro replace_lasting_view_sql(relation, sql) %}
do $replace$
begin
    set local lock_timeout = '5s';
    begin
        create or replace view {{ relation }} as (
{{ sql }}
        );
    exception when invalid_table_definition then
        drop view {{ relation }}{{ '' if model.config.meta.has_readers else ' cascade' }};
        create view {{ relation }} as (
{{ sql }}
        );
    end;
end
$replace$;
{% endmacro %}
