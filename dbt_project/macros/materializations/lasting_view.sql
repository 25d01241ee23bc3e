{#-
    A view that is never dropped while its columns stay, nor touched while its definition does: what
    readers built on it, their grants and their running queries live on. Where `create or replace` cannot
    do (a column goes, it was a table), it is made anew, and fails, naming them, while views of readers
    use it.

    dbt's own view is dropped and made anew by every build, under a lock that waits for all readers. Two
    threads that drop what stands on both wait for each other: a deadlock in one of eight builds. Only our
    own models stand on staging and intermediate, so a changed one there may take them along.
-#}
{% materialization lasting_view, adapter='postgres' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks) }}
    {#- `--empty` and `--sample` limit what the SQL reads: readers must not see such a view. -#}
    {%- if existing
        and (flags.EMPTY or flags.SAMPLE or lasting_view_is_unchanged(target, sql)) -%}
        {%- call noop_statement('main', 'UNCHANGED') -%}{%- endcall -%}
        {{ run_hooks(post_hooks) }}
    {%- else -%}
        {%- call statement('main') -%}
do $replace$
begin
    set local lock_timeout = '5s';
    begin
        create or replace view {{ target }} as (
{{ sql }}
        );
    exception when invalid_table_definition or wrong_object_type then
        {{ wait_to_drop_views() }}
        drop {{ existing.type if existing else 'view' }} {{ target }}
            {{- '' if config.get('meta', {}).has_readers else ' cascade' }};
        create view {{ target }} as (
{{ sql }}
        );
    end;
end
$replace$;
        {%- endcall -%}
        {%- do persist_docs(target, model) -%}
        {{ run_hooks(post_hooks) }}
        {%- do adapter.commit() -%}
    {%- endif -%}
    {{ return({'relations': [target]}) }}
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
    and {{ sql_text(tojson(descriptions)) }}::jsonb = (
        select jsonb_object_agg(coalesce(attname, ''), description)
        from pg_description
        left join pg_attribute on objoid = attrelid and objsubid = attnum
        where objoid = '{{ relation }}'::regclass
    );
    {%- endset -%}
    {{ return(run_query(query).rows[0][0]) }}
{% endmacro %}

{#-
    Post-hook of intermediate tables: the views on the table that this one replaces go in its transaction. dbt
    drops that table with all that stands on it after the commit, and two threads that do so at once may
    wait for each other: seldom, but such a build fails.
-#}
{% macro drop_views_on_replaced_table() %}
    {%- if target.type == 'postgres' and model.config.materialized == 'table' -%}
do $views$
begin
    {{ wait_to_drop_views() }}
    if to_regproc('ops.drop_views_over') is not null then
        execute ops.drop_views_over(to_regclass('{{ make_backup_relation(this, 'table') }}'));
    end if;
end
$views$
    {%- endif -%}
{% endmacro %}

{#- Until the end of the transaction nobody else drops views. -#}
{% macro wait_to_drop_views() -%}
    perform pg_advisory_xact_lock(42, 25);
{%- endmacro %}
