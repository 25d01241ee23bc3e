{#-
    What in the database is this mirror's: what bears the mark at the end of its comment. Names prove
    nothing, and a comment outlives backups, restores and renamings. Whatever else has a name that the
    mirror would create, alter or drop stands in its way and is never touched (docs/decisions.md).

    The first three macros are plain Jinja: extract/tables/ownership.py renders them too.
-#}
{% macro mark() -%}
    [fortytwo-mirror]
{%- endmacro %}

{% macro marked(description) -%}
    {{ (description | trim ~ ' ' ~ mark()) | trim }}
{%- endmacro %}

{#-
    Everything without the mark that has one of the names (`schema.name`): its own name, its kind, and
    whether a version of this mirror from before there was a mark has made it. That is known by
    what only the mirror leaves: first the comment of ops.runs, then the columns that a load or a snapshot
    adds, or a description of the relation and (but of what holds no data) of every column, as dbt writes them for us.
-#}
{% macro unmarked_objects_sql(names) -%}
with wanted as (
    select split_part(entry, '.', 1) as schema_name, left(split_part(entry, '.', 2), 63 - length(suffix)) || suffix as name
    from unnest(array['{{ names | join("', '") }}']) as names (entry)
    -- what dbt drops where it finds it
    cross join unnest(array['', '__dbt_tmp', '__dbt_backup']) as suffixes (suffix)
),
objects as (
    select
        'pg_class'::regclass as catalog,
        relation.oid,
        relation.relnamespace as space,
        relation.relname as name,
        relation.relkind,
        -- an index belongs to whom its table belongs to
        coalesce(index.indrelid, relation.oid) as subject
    from pg_class as relation
    left join pg_index as index on relation.oid = index.indexrelid
    union all
    select 'pg_proc'::regclass, oid, pronamespace, proname, null, null from pg_proc
    union all
    select 'pg_type'::regclass, oid, typnamespace, typname, null, null from pg_type where typrelid = 0
),
found as (
    select objects.*, wanted.schema_name
    from objects
    inner join pg_namespace on objects.space = pg_namespace.oid
    inner join wanted on pg_namespace.nspname = wanted.schema_name and objects.name = wanted.name
),
evidence as (
    select
        attrelid as subject,
        array_agg(attname::text) as columns,
        bool_and(col_description(attrelid, attnum) is not null) as describes_columns
    from pg_attribute
    where attrelid in (select subject from found) and attnum > 0 and not attisdropped
    group by attrelid
)
select
    found.schema_name || '.' || found.name as name,
    case found.relkind
        when 'p' then 'partitioned table'
        else (pg_identify_object(found.catalog, found.oid, 0)).type
    end as kind,
    coalesce(
        starts_with(obj_description(to_regclass('ops.runs'), 'pg_class'), 'One row per run: ') and case
            -- in ops, ours beside our ops.runs: they are replaced by every build, and hold nothing
            when found.catalog = 'pg_proc'::regclass then found.schema_name = 'ops'
            when (found.relkind in ('r', 'v', 'i')) is not true then false
            when found.schema_name in ('raw', 'raw_staging') then
                array['_dlt_load_id', 'unknown_fields'] <@ evidence.columns
                or starts_with(found.name, '_dlt_')
            when found.schema_name = 'snapshots' then
                array['dbt_scd_id', 'dbt_is_deleted'] <@ evidence.columns
            when obj_description(found.subject, 'pg_class') is null then false
            else found.schema_name in ('ops', 'staging', 'intermediate') or evidence.describes_columns
        end,
        false
    ) as is_ours
from found
left join evidence on found.subject = evidence.subject
where right(coalesce(obj_description(found.subject, 'pg_class'), ''), length('{{ mark() }}'))
    <> '{{ mark() }}'
order by 1
{%- endmacro %}

{#- Stop this dbt before its first write, whoever called it. -#}
{% macro refuse_foreign_objects() %}
    {%- set names = ['ops.runs', 'ops.change_sets', 'ops.rejections', 'ops.candidates'] -%}
    {%- for node in graph.nodes.values()
        if node.resource_type in ['model', 'seed', 'snapshot']
        and node.config.materialized != 'ephemeral' -%}
        {%- do names.append(node.schema ~ '.' ~ node.alias) -%}
        {%- if node.resource_type == 'model' and node.fqn[1] == 'marts' -%}
            {%- do names.append('mirror.' ~ node.alias) -%}
            {%- do names.append('intermediate.' ~ node.alias ~ '__differences') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set found = [] -%}
    {%- for object in run_query(unmarked_objects_sql(names)) if not object['is_ours'] -%}
        {%- do found.append(object['name'] ~ ' (' ~ object['kind'] ~ ')') -%}
    {%- endfor -%}
    {%- if found -%}
        {{ exceptions.raise_compiler_error(
            'Not made by this mirror, and in its way: ' ~ found | join(', ') ~ '. Nothing was created, altered '
            ~ 'or dropped. Give the mirror a database of its own (PGDATABASE=another_name), or let the '
            ~ 'owner rename them.'
        ) }}
    {%- endif -%}
{% endmacro %}

{#- dbt makes its schemas before the hooks of on-run-start. -#}
{% macro postgres__create_schema(relation) -%}
    {%- do refuse_foreign_objects() -%}
    {{ dbt.postgres__create_schema(relation) }}
{%- endmacro %}

{#- The mark on what dbt builds, in the transaction that builds it. -#}
{% macro postgres__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- do run_query(alter_relation_comment(relation, marked(model.description))) -%}
    {{ dbt.default__persist_docs(relation, model, false, for_columns) }}
{%- endmacro %}
