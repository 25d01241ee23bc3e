{#-
    The first rows of a table of mirror, which may be millions: without its indexes, which are made after
    them in a third of the time; into a file of its own, for which a server without replicas
    (`wal_level = minimal`) writes no log; and with the foreign keys checked at once, not row by row
    (where the role may do that: a superuser, as in pg_restore --disable-triggers).

    For this the empty table is locked. While a reader has it open, or a view groups by its key, or
    tables refer to it, all stays in place and the rows go in the slow way.
-#}

{#- The tables of mirror that have no row, by name. -#}
{% macro empty_tables(names) %}
    {%- set empty = [] -%}
    {%- for name in names -%}
        {%- set table = adapter.quote(mirror_schema()) ~ '.' ~ adapter.quote(name) -%}
        {%- do empty.append('select ' ~ sql_text(name) ~ ' where not exists (select from ' ~ table ~ ')') -%}
    {%- endfor -%}
    {{ return(run_query(empty | join(' union all ')).columns[0].values() | list if empty else []) }}
{% endmacro %}

{% macro prepare_first_rows_sql(spec) -%}
do $first$
declare
    entry record;
begin
    if not exists (select from {{ spec.candidate }}) or exists (select from {{ spec.live }}) then
        return;
    end if;
    set local lock_timeout = '300ms';
    lock table {{ spec.live }} in access exclusive mode;
    set local lock_timeout = '30s';
    for entry in
        select
            format('alter table %s drop constraint %I', conrelid::regclass, conname) as away,
            format(
                'alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)
            ) as back
        from pg_constraint
        where conrelid = {{ sql_text(spec.live) }}::regclass and contype in ('p', 'u')
        union all
        select format('drop index %s', index.indexrelid::regclass), pg_get_indexdef(index.indexrelid)
        from pg_index as index
        where index.indrelid = {{ sql_text(spec.live) }}::regclass and not exists (
            select from pg_constraint as con where con.conindid = index.indexrelid
        )
    loop
        insert into pg_temp.put_aside values ({{ sql_text(spec.live) }}::regclass, entry.back);
        execute entry.away;
    end loop;
    truncate {{ spec.live }};
    begin
        for entry in {{ foreign_key_triggers_sql(spec) }} and trigger.tgenabled = 'O' loop
            execute format('alter table {{ spec.live }} disable trigger %I', entry.tgname);
        end loop;
    exception when insufficient_privilege then
        null;
    end;
exception when lock_not_available or dependent_objects_still_exist or feature_not_supported then
    null;
end
$first$;
{%- endmacro %}

{#- After the rows: what was put aside is there again, and no row of the table is an orphan. -#}
{% macro finish_first_rows_sql(spec) -%}
do $first$
declare
    entry record;
    is_orphaned boolean;
begin
    for entry in
        select statement from pg_temp.put_aside where relation = {{ sql_text(spec.live) }}::regclass
    loop
        execute entry.statement;
    end loop;
    for entry in {{ foreign_key_triggers_sql(spec) }} and trigger.tgenabled = 'D' loop
        execute format('alter table {{ spec.live }} enable trigger %I', entry.tgname);
        continue when not entry.is_for_inserts;  -- a key has another one, for updates
        execute format(
            'select exists (select from {{ spec.live }} as child where child.%I is not null and not exists '
            '(select from %s as parent where parent.%I = child.%I))',
            entry.child_column, entry.parent, entry.parent_column, entry.child_column
        ) into is_orphaned;
        if is_orphaned then
            raise foreign_key_violation using message = format(
                'Nothing was published: first rows of {{ spec.name }} refer to a row of %s that is not '
                'there (%s).', entry.parent, entry.conname
            );
        end if;
    end loop;
end
$first$;
{%- endmacro %}

{#- The triggers by which PostgreSQL checks that a row of the table has its parents. -#}
{% macro foreign_key_triggers_sql(spec) -%}
select
            trigger.tgname, con.conname, con.confrelid::regclass as parent,
            child.attname as child_column, parent.attname as parent_column,
            (trigger.tgtype & 4) > 0 as is_for_inserts
        from pg_trigger as trigger
        inner join pg_constraint as con on trigger.tgconstraint = con.oid
        inner join pg_attribute as child on con.conrelid = child.attrelid and con.conkey[1] = child.attnum
        inner join pg_attribute as parent
            on con.confrelid = parent.attrelid and con.confkey[1] = parent.attnum
        where trigger.tgrelid = {{ sql_text(spec.live) }}::regclass and trigger.tgisinternal
            and con.contype = 'f' and con.conrelid = trigger.tgrelid and cardinality(con.conkey) = 1
{%- endmacro %}
