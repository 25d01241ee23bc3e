{#-
    What the tables of a schema look like in the database, by name: columns with type, not null and
    comment, keys, indexes, comment. One query, so that a publication costs one look.
-#}
{% macro catalog_state(schema) %}
    {%- set query -%}
select coalesce(jsonb_object_agg(tables.name, tables.state), '{}')::text as state
from (
    select
        relation.relname as name,
        jsonb_build_object(
            'comment', obj_description(relation.oid, 'pg_class'),
            'columns', (
                select jsonb_object_agg(attribute.attname, jsonb_build_object(
                    'type', format_type(attribute.atttypid, attribute.atttypmod),
                    'not_null', attribute.attnotnull,
                    'comment', col_description(relation.oid, attribute.attnum)
                ))
                from pg_attribute as attribute
                where attribute.attrelid = relation.oid
                    and attribute.attnum > 0 and not attribute.attisdropped
            ),
            'keys', (
                select coalesce(jsonb_agg(jsonb_build_object(
                    'name', con.conname,
                    'kind', con.contype,
                    'columns', (
                        select jsonb_agg(attribute.attname order by position.ordinality)
                        from unnest(con.conkey) with ordinality as position (attnum)
                        inner join pg_attribute as attribute
                            on attribute.attrelid = con.conrelid
                            and attribute.attnum = position.attnum
                    ),
                    'parent', (
                        select space.nspname || '.' || parent.relname
                        from pg_class as parent
                        inner join pg_namespace as space on parent.relnamespace = space.oid
                        where parent.oid = con.confrelid
                    ),
                    'parent_columns', (
                        select jsonb_agg(attribute.attname order by position.ordinality)
                        from unnest(con.confkey) with ordinality as position (attnum)
                        inner join pg_attribute as attribute
                            on attribute.attrelid = con.confrelid
                            and attribute.attnum = position.attnum
                    ),
                    'as_made_here', con.contype <> 'f'
                        or (con.confdeltype = 'c' and con.condeferrable and con.convalidated)
                )), '[]')
                from pg_constraint as con
                where con.conrelid = relation.oid and con.contype in ('p', 'u', 'f')
            ),
            'indexes', (
                select coalesce(jsonb_agg((
                    select jsonb_agg(attribute.attname order by position.ordinality)
                    from unnest(index.indkey::int2[]) with ordinality as position (attnum)
                    inner join pg_attribute as attribute
                        on attribute.attrelid = relation.oid
                        and attribute.attnum = position.attnum
                )), '[]')
                from pg_index as index
                where index.indrelid = relation.oid and index.indisvalid
                    and index.indpred is null and index.indexprs is null
            )
        ) as state
    from pg_class as relation
    where relation.relkind in ('r', 'p')
        and relation.relnamespace = to_regnamespace({{ sql_text(adapter.quote(schema)) }})
) as tables
    {%- endset -%}
    {{ return(fromjson(run_query(query).rows[0][0])) }}
{% endmacro %}
