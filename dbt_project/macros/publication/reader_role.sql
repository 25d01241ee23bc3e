{#-
    mirror_reader: a role without login that may read mirror, reports and ops, and nothing else. Grant it
    to people and dashboards: `grant mirror_reader to some_dashboard`. Tables of mirror are never
    recreated, so its grants stay; default privileges cover what appears later.
-#}
{% macro reader_schemas() -%}
    {{ return([mirror_schema(), 'reports', 'ops']) }}
{%- endmacro %}

{% macro reader_role_sql() -%}
{%- set may_create = run_query(
    "select rolcreaterole or rolsuper from pg_roles where rolname = current_user"
).rows[0][0] -%}
{%- if reader_role_exists() -%}
{%- elif may_create -%}
do $role$
begin
    create role {{ reader_role() }} nologin;
exception when duplicate_object or unique_violation then
    null;  -- another database of this server was quicker
end
$role$;
{%- else -%}
    {%- do print(
        'The role ' ~ reader_role() ~ ' does not exist and ' ~ target.user ~ ' may not create roles. '
        ~ 'Let an administrator run: create role ' ~ reader_role() ~ ' nologin;'
    ) -%}
{%- endif -%}
{%- endmacro %}

{% macro reader_role_exists() -%}
    {{ return(run_query(
        "select exists (select from pg_roles where rolname = '" ~ reader_role() ~ "')"
    ).rows[0][0]) }}
{%- endmacro %}

{#- Only what is missing: a grant that is there already would still write to the catalog. -#}
{% macro reader_grants_sql() -%}
do $grants$
declare
    entry record;
begin
    if to_regrole('{{ reader_role() }}') is null then
        return;
    end if;
    for entry in
        select space.oid, space.nspname from pg_namespace as space
        where space.nspname in ({% for name in reader_schemas() -%}
            {{ sql_text(name) }}{{ ', ' if not loop.last }}{%- endfor %})
            and pg_has_role(space.nspowner, 'usage')
    loop
        if not has_schema_privilege('{{ reader_role() }}', entry.oid, 'usage') then
            execute format('grant usage on schema %I to {{ reader_role() }}', entry.nspname);
        end if;
        if not exists (
            select from pg_default_acl as defaults
            cross join lateral aclexplode(defaults.defaclacl) as privilege
            where defaults.defaclnamespace = entry.oid and defaults.defaclobjtype = 'r'
                and defaults.defaclrole = current_user::regrole
                and privilege.grantee = '{{ reader_role() }}'::regrole
                and privilege.privilege_type = 'SELECT'
        ) then
            execute format(
                'alter default privileges in schema %I grant select on tables to {{ reader_role() }}',
                entry.nspname
            );
        end if;
    end loop;
    for entry in
        select relation.oid::regclass as name from pg_class as relation
        inner join pg_namespace as space on relation.relnamespace = space.oid
        where space.nspname in ({% for name in reader_schemas() -%}
            {{ sql_text(name) }}{{ ', ' if not loop.last }}{%- endfor %})
            and relation.relkind in ('r', 'p', 'v', 'm')
            and pg_has_role(relation.relowner, 'usage')
            and right(obj_description(relation.oid, 'pg_class'), length('{{ mark() }}')) = '{{ mark() }}'
            and not has_table_privilege('{{ reader_role() }}', relation.oid, 'select')
    loop
        execute format('grant select on %s to {{ reader_role() }}', entry.name);
    end loop;
end
$grants$;
{%- endmacro %}
