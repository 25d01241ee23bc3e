{#-
    The changes of one table, from its diff. The publication runs all updates first, then the deletions
    (children first), then the insertions: a child that moves to another parent has left the old one
    before that goes, because `on delete cascade` cannot be deferred.
-#}
{% macro update_sql(spec) -%}
{%- set compared = spec.columns.keys() | reject('in', spec.primary_key) | list -%}
{%- if compared -%}
update {{ spec.live }} as live
set
    {%- for name in compared %}
    {{ adapter.quote(name) }} = next.{{ adapter.quote(name) }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ changed_table(spec) }} as changed
inner join {{ spec.candidate }} as next on {{ same_key(spec, 'changed', 'next') }}
where changed._action = 'update' and {{ same_key(spec, 'live', 'changed') }};
{%- endif -%}
{%- endmacro %}

{% macro delete_sql(spec) -%}
delete from {{ spec.live }} as live
using {{ changed_table(spec) }} as changed
where changed._action = 'delete' and {{ same_key(spec, 'live', 'changed') }};
{%- endmacro %}

{#- The first time all rows are new: not to look each up among the changed saves a third of the time. -#}
{% macro insert_sql(spec, is_first) -%}
insert into {{ spec.live }} ({{ column_list(spec.columns.keys()) }})
select {{ column_list(spec.columns.keys(), 'next.') }}
{%- if is_first %}
from {{ spec.candidate }} as next
where not exists (select from {{ spec.live }} as live where {{ same_key(spec, 'live', 'next') }});
{%- else %}
from {{ changed_table(spec) }} as changed
inner join {{ spec.candidate }} as next on {{ same_key(spec, 'changed', 'next') }}
where changed._action = 'insert';
{%- endif %}
{%- endmacro %}

{% macro same_key(spec, left, right) -%}
    {%- for name in spec.primary_key -%}
        {{ left }}.{{ adapter.quote(name) }} = {{ right }}.{{ adapter.quote(name) }}
        {{- ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#-
    ops.changes: keys in sets of up to 10,000, one set per way of changing. In no order: to sort a million
    keys takes longer than to write them, most of it for the equal texts before them. Text that becomes
    jsonb once a set costs less than an object of jsonb per key.
-#}
{% macro record_changes_sql(spec) -%}
insert into ops.change_sets (changed_at, run_id, table_name, action, columns, keys)
select
    now(),
    {{ sql_text(run_id()) }},
    {{ sql_text(spec.name) }},
    numbered._action,
    numbered._columns,
    json_agg(json_build_object(
        {%- for name in spec.primary_key -%}
            {{ sql_text(name) }}, numbered.{{ adapter.quote(name) }}{{ ', ' if not loop.last }}
        {%- endfor -%}
    ))::jsonb
from (
    select
        changed.*,
        (row_number() over () - 1) / 10000 as chunk
    from {{ changed_table(spec) }} as changed
) as numbered
group by numbered.chunk, numbered._action, numbered._columns;
{%- endmacro %}

{#-
    ops.rejections from int_rejected_rows: new ones in, gone ones dated, those that are back freed of
    their date, the others not touched. First what differs, in one pass over both, then the few rows:
    looking rows up in the table that is being filled takes hours at a million.
-#}
{% macro record_rejections_sql() -%}
{%- for node in graph.nodes.values()
    if node.resource_type == 'model' and node.name == 'int_rejected_rows' -%}
create temporary table changed_rejections on commit drop as
select
    coalesce(rejected.table_name, known.table_name) as table_name,
    coalesce(rejected.rule, known.rule) as rule,
    coalesce(rejected.key, known.key) as key,
    case
        when rejected.key is null then 'gone'
        when known.key is null then 'new'
        else 'back'
    end as state
from {{ node.relation_name }} as rejected
full join ops.rejections as known
    on rejected.table_name = known.table_name
    and rejected.rule = known.rule and rejected.key = known.key
-- new; or known and on the wrong side: rejected but dated as gone, not rejected but not dated
where known.key is null or (rejected.key is null) = (known.gone_at is null);
analyze pg_temp.changed_rejections;

update ops.rejections as known
set gone_at = now(), last_seen_at = coalesce(
    (select max(runs.published_at) from ops.runs), known.first_seen_at
)
from pg_temp.changed_rejections as gone
where gone.state = 'gone' and known.table_name = gone.table_name
    and known.rule = gone.rule and known.key = gone.key;

update ops.rejections as known
set gone_at = null, last_seen_at = null
from pg_temp.changed_rejections as back
where back.state = 'back' and known.table_name = back.table_name
    and known.rule = back.rule and known.key = back.key;

-- A key is there once: the test rejected_rows_are_under_one_rule_only.
insert into ops.rejections (table_name, rule, key, first_seen_at)
select table_name, rule, key, now()
from pg_temp.changed_rejections
where state = 'new';

-- The next publication joins it whole, perhaps before autovacuum has seen it.
do $analyze$
begin
    if (select count(*) from pg_temp.changed_rejections) > (select count(*) from ops.rejections) / 10 then
        analyze ops.rejections;
    end if;
end
$analyze$;

delete from ops.rejections
where gone_at < now() - interval '{{ changes_retention_days() }} days';
{%- endfor -%}
{%- endmacro %}
