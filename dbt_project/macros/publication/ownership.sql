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
relations as (
    select
        relation.oid,
        relation.relkind,
        space.nspname as schema_name,
        relation.relname as name,
        -- an index belongs to whom its table belongs to
        coalesce(index.indrelid, relation.oid) as subject
    from pg_class as relation
    inner join pg_namespace as space on relation.relnamespace = space.oid
    inner join wanted on space.nspname = wanted.schema_name and relation.relname = wanted.name
    left join pg_index as index on relation.oid = index.indexrelid
),
evidence as (
    select
        attrelid as subject,
        array_agg(attname::text) as columns,
        bool_and(col_description(attrelid, attnum) is not null) as describes_columns
    from pg_attribute
    where attrelid in (select subject from relations) and attnum > 0 and not attisdropped
    group by attrelid
),
known as (
    select exists (
        select from pg_class as relation
        inner join pg_namespace as space on relation.relnamespace = space.oid
        where space.nspname = 'ops' and relation.relname = 'runs' and relation.relkind = 'r'
            and starts_with(obj_description(relation.oid, 'pg_class'), 'One row per run: ')
    ) as is_mirror
)
select
    relations.schema_name || '.' || relations.name as name,
    case relations.relkind
        when 'r' then 'table'
        when 'p' then 'partitioned table'
        when 'f' then 'foreign table'
        when 'v' then 'view'
        when 'm' then 'materialized view'
        when 'S' then 'sequence'
        when 'c' then 'type'
        else 'index'
    end as kind,
    known.is_mirror and relations.relkind in ('r', 'v', 'i') and coalesce(
        case
            when relations.schema_name in ('raw', 'raw_staging') then
                array['_dlt_load_id', 'unknown_fields'] <@ evidence.columns
                or starts_with(relations.name, '_dlt_')
            when relations.schema_name = 'snapshots' then
                array['dbt_scd_id', 'dbt_is_deleted'] <@ evidence.columns
            when obj_description(relations.subject, 'pg_class') is null then false
            else relations.schema_name in ('ops', 'staging', 'intermediate') or evidence.describes_columns
        end,
        false
    ) as is_ours
from relations
cross join known
left join evidence on relations.subject = evidence.subject
where right(coalesce(obj_description(relations.subject, 'pg_class'), ''), length('{{ mark() }}'))
    <> '{{ mark() }}'
union all
-- in ops, ours beside our ops.runs: they are replaced by every build, and hold nothing
select space.nspname || '.' || routine.proname, 'function', known.is_mirror and space.nspname = 'ops'
from pg_proc as routine
cross join known
inner join pg_namespace as space on routine.pronamespace = space.oid
inner join wanted on space.nspname = wanted.schema_name and routine.proname = wanted.name
union all
select space.nspname || '.' || type.typname, 'type', false
from pg_type as type
inner join pg_namespace as space on type.typnamespace = space.oid
inner join wanted on space.nspname = wanted.schema_name and type.typname = wanted.name
where type.typrelid = 0
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
