{#-
    The deletion guard. A mistake upstream (a page that came back empty, a rule that turned round) looks
    like mass deletion here, so more than `max_delete_fraction` of a table is a question, not an order.
    It is asked twice: as the test `assert_deletions_within_limit`, before the snapshots see the
    candidate, and inside the publication, which is what it protects.
-#}
{% macro guard_publication_sql(specs) -%}
do $guard$
declare
    entry record;
    present bigint;
    refusals text[] := '{}';
begin
    for entry in select * from pg_temp.publication where deleted >= {{ min_guarded_rows() }} loop
        execute format('select count(*) from {{ mirror_schema() }}.%I', entry.table_name) into present;
        if entry.deleted > present * {{ max_delete_fraction() }} then
            refusals := refusals || format(
                '%s of %s rows of %s', entry.deleted, present, entry.table_name
            );
        end if;
    end loop;
    {%- if deletes_allowed() %}
    refusals := '{}';  -- ALLOW_DELETES
    {%- endif %}
    if cardinality(refusals) > 0 then
        raise exception using
            message = 'Nothing was published: it would delete '
                || array_to_string(refusals, ', ') || '.',
            hint = {{ sql_text(guard_hint()) }};
    end if;
end
$guard$;
{%- endmacro %}

{% macro guard_hint() -%}
    The limit is {{ '%g' % (max_delete_fraction() * 100) }} % of a table. If this is right, run once more with ALLOW_DELETES=1.
{%- endmacro %}

{#-
    The tables of mirror whose candidate would delete too much: none, or the test fails. A build that
    does not publish anyway is not asked.
-#}
{% macro deletions_above_limit_sql(tables) -%}
{%- set specs = {} -%}
{%- if execute -%}
    {%- for spec in mirror_specs() -%}
        {%- do specs.update({spec.name: spec}) -%}
    {%- endfor -%}
{%- endif -%}
with counted as (
    {%- for table in tables if table in specs %}
    select
        {{ sql_text(table) }} as table_name,
        count(*) as live_rows,
        count(*) filter (where next.{{ adapter.quote(specs[table].primary_key[0]) }} is null) as deletions
    from {{ specs[table].live }} as live
    left join {{ specs[table].candidate }} as next on {{ same_key(specs[table], 'live', 'next') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    table_name,
    live_rows,
    deletions
from counted
where deletions >= {{ min_guarded_rows() }} and deletions > live_rows * {{ max_delete_fraction() }}
    {%- if deletes_allowed() or (execute and build_gaps()) %}
    and false  -- ALLOW_DELETES, or nothing will be published
    {%- endif %}
{%- endmacro %}
