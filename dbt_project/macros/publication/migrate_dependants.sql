{#-
    Changing columns that views use. PostgreSQL allows a new column beside them; a dropped or retyped one
    it refuses. So the views are put aside and made anew with owner, grants, comments and options: those
    of this project from their models (a report's `select *` names every column, also the one that
    goes), those of readers from their own definition. What cannot be made anew is named in the message
    that stops the publication.
-#}

{#- All tables in one statement: all locks or none, so a reader who needs two cannot deadlock with us. -#}
{% macro lock_for_migration_sql(specs) -%}
do $migration$
declare
    attempt int := 0;
begin
    -- Waiting in the queue holds up every reader behind us, so ask briefly and often.
    loop
        begin
            set local lock_timeout = '300ms';
            lock table {{ specs | map(attribute='live') | join(', ') }} in access exclusive mode;
            exit;
        exception when lock_not_available then
            attempt := attempt + 1;
            if attempt = {{ number_setting('migration_lock_attempts', 60) | int }} then
                raise exception using
                    message = 'Nothing was published: the columns of {{ specs | map(attribute="live")
                        | join(", ") | replace("\"", "") }} change, and readers keep the tables open.',
                    detail = (
                        select string_agg(format(
                            'process %s, %s, in a transaction since %s',
                            activity.pid, nullif(activity.application_name, ''), activity.xact_start
                        ), '; ')
                        from pg_stat_activity as activity
                        where activity.pid in (
                            select locks.pid from pg_locks as locks
                            where locks.pid <> pg_backend_pid() and locks.relation in (
                                {%- for spec in specs %}
                                {{ sql_text(spec.live) }}::regclass{{ ',' if not loop.last }}
                                {%- endfor %}
                            )
                        )
                    ),
                    hint = 'Run it again when they are done, or end them with pg_terminate_backend(process).';
            end if;
        end;
        perform pg_sleep(0.7);
    end loop;
    set local lock_timeout = '30s';
end
$migration$;
{%- endmacro %}

{#- The views of this project over mirror, by name, as this run has compiled them. -#}
{% macro report_definitions_sql() -%}
create temporary table report_definitions (name text primary key, definition text) on commit drop;
{% for result in (results if results is defined else [])
    if result.node.resource_type | string == 'model' and 'view' in result.node.config.materialized
    and result.node.schema in reader_schemas() -%}
insert into pg_temp.report_definitions values (
    {{ sql_text(adapter.quote(result.node.schema) ~ '.' ~ adapter.quote(result.node.alias)) }},
    {{ sql_text(result.node.compiled_code) }}
);
{% endfor -%}
{%- endmacro %}

{% macro change_columns_sql(spec, retyped, dropped) -%}
{%- set names = (retyped | map(attribute='name') | list) + dropped -%}
do $migration$
declare
    obstacle text;
    dependant record;
    grant_ record;
    column_ record;
begin
    create temporary table dependant_views on commit drop as
    with recursive uses as (
        select rewrite.ev_class as oid, 1 as depth, attribute.attname as column_name
        from pg_depend as depend
        inner join pg_rewrite as rewrite on depend.objid = rewrite.oid
        inner join pg_attribute as attribute
            on depend.refobjid = attribute.attrelid and depend.refobjsubid = attribute.attnum
        where depend.classid = 'pg_rewrite'::regclass
            and depend.refobjid = {{ sql_text(spec.live) }}::regclass
            and attribute.attname in ({%- for name in names -%}
                {{ sql_text(name) }}{{ ', ' if not loop.last }}{%- endfor -%})
        union
        select rewrite.ev_class, uses.depth + 1, null
        from uses
        inner join pg_depend as depend on depend.refobjid = uses.oid
        inner join pg_rewrite as rewrite
            on depend.objid = rewrite.oid and rewrite.ev_class <> uses.oid
        where depend.classid = 'pg_rewrite'::regclass and uses.depth < 100
    ),
    views as (
        select uses.oid, max(uses.depth) as depth, array_agg(uses.column_name::text) as column_names
        from uses
        group by uses.oid
    )
    select
        views.depth,
        views.column_names,
        relation.oid,
        relation.oid::regclass::text as name,
        relation.relkind,
        relation.relowner::regrole::text as owner,
        relation.relacl as grants,
        relation.reloptions as options,
        ours.definition is not null as is_ours,
        coalesce(ours.definition, pg_get_viewdef(relation.oid)) as definition,
        obj_description(relation.oid, 'pg_class') as comment,
        (
            select jsonb_object_agg(attribute.attname, col_description(relation.oid, attribute.attnum))
            from pg_attribute as attribute
            where attribute.attrelid = relation.oid
                and col_description(relation.oid, attribute.attnum) is not null
        ) as column_comments
    from views
    inner join pg_class as relation on views.oid = relation.oid
    left join pg_temp.report_definitions as ours on to_regclass(ours.name) = relation.oid;
    {% if dropped %}
    select string_agg(dependant_views.name, ', '), min(gone.name) into dependant
    from dependant_views
    inner join unnest(array[{% for name in dropped %}{{ sql_text(name) }}{{ ', ' if not loop.last }}
        {%- endfor %}]) as gone (name) on gone.name = any(dependant_views.column_names)
    where not dependant_views.is_ours;
    if dependant.string_agg is not null then
        raise exception using
            message = format(
                'Nothing was published: column {{ spec.name }}.%s is gone from the contract, but is '
                'used by %s.', dependant.min, dependant.string_agg
            ),
            hint = 'Take the column out of them (or drop them), then run again; or put it back into '
                'the contract of {{ spec.name }}.';
    end if;
    {% endif %}
    -- What cannot be made anew from its definition alone.
    select string_agg(name, ', ') into obstacle
    from dependant_views
    where relkind <> 'v'
        or not pg_has_role(owner::regrole::oid, 'usage')
        or exists (select from pg_trigger where tgrelid = dependant_views.oid)
        or exists (
            select from pg_rewrite where ev_class = dependant_views.oid and rulename <> '_RETURN'
        );
    if obstacle is not null then
        raise exception using
            message = 'Nothing was published: {{ spec.name }} changes {{ names | join(", ") }}, which '
                || 'PostgreSQL does not allow while these use it: ' || obstacle || '.',
            hint = 'Drop them, run again, and create them anew.';
    end if;

    for dependant in select * from dependant_views order by depth desc loop
        execute format('drop view %s', dependant.name);
    end loop;
    alter table {{ spec.live }}
        {%- for name in dropped %}
        drop column {{ adapter.quote(name) }}{{ ',' if retyped or not loop.last }}
        {%- endfor %}
        {%- for column in retyped %}
        alter column {{ adapter.quote(column.name) }} type {{ column.type }}
            using {{ adapter.quote(column.name) }}::{{ column.type }}{{ ',' if not loop.last }}
        {%- endfor %};
    for dependant in select * from dependant_views order by depth loop
        execute format(
            'create view %s%s as %s',
            dependant.name,
            coalesce(' with (' || array_to_string(dependant.options, ', ') || ')', ''),
            dependant.definition
        );
        execute format('alter view %s owner to %s', dependant.name, dependant.owner);
        for grant_ in
            select
                privilege.privilege_type,
                case when privilege.grantee = 0 then 'public'
                    else privilege.grantee::regrole::text end as grantee,
                privilege.is_grantable
            from aclexplode(dependant.grants) as privilege
        loop
            execute format(
                'grant %s on %s to %s%s', grant_.privilege_type, dependant.name, grant_.grantee,
                case when grant_.is_grantable then ' with grant option' else '' end
            );
        end loop;
        if dependant.comment is not null then
            execute format('comment on view %s is %L', dependant.name, dependant.comment);
        end if;
        for column_ in
            select comments.* from jsonb_each_text(dependant.column_comments) as comments
            inner join pg_attribute as attribute
                on attribute.attrelid = dependant.name::regclass and attribute.attname = comments.key
        loop
            execute format(
                'comment on column %s.%I is %L', dependant.name, column_.key, column_.value
            );
        end loop;
    end loop;
    drop table dependant_views;
end
$migration$;
{%- endmacro %}
