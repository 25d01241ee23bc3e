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

{% macro insert_sql(spec) -%}
insert into {{ spec.live }} ({{ column_list(spec.columns.keys()) }})
select {{ column_list(spec.columns.keys(), 'next.') }}
from {{ changed_table(spec) }} as changed
inner join {{ spec.candidate }} as next on {{ same_key(spec, 'changed', 'next') }}
where changed._action = 'insert';
{%- endmacro %}

{% macro same_key(spec, left, right) -%}
    {%- for name in spec.primary_key -%}
        {{ left }}.{{ adapter.quote(name) }} = {{ right }}.{{ adapter.quote(name) }}
        {{- ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- ops.changes: keys in sets of 10,000, one set per way of changing. -#}
{% macro record_changes_sql(spec) -%}
insert into ops.change_sets (changed_at, run_id, table_name, action, columns, keys)
select
    now(),
    {{ sql_text(run_id()) }},
    {{ sql_text(spec.name) }},
    numbered._action,
    numbered._columns,
    jsonb_agg(jsonb_build_object(
        {%- for name in spec.primary_key -%}
            {{ sql_text(name) }}, numbered.{{ adapter.quote(name) }}{{ ', ' if not loop.last }}
        {%- endfor -%}
    ))
from (
    select
        changed.*,
        (row_number() over (
            partition by changed._action, changed._columns
            order by {{ column_list(spec.primary_key, 'changed.') }}
        ) - 1) / 10000 as chunk
    from {{ changed_table(spec) }} as changed
) as numbered
group by numbered._action, numbered._columns, numbered.chunk;
{%- endmacro %}

{#-
    ops.rejections from int_rejected_rows: new ones in, gone ones dated, the others not touched. First what
    differs, in one pass over both, then the few rows: looking rows up in the table that is being
    filled takes hours at a million.
-#}
{% macro record_rejections_sql() -%}
{%- for node in graph.nodes.values()
    if node.resource_type == 'model' and node.name == 'int_rejected_rows' -%}
create temporary table changed_rejections on commit drop as
select
    coalesce(rejected.table_name, known.table_name) as table_name,
    coalesce(rejected.rule, known.rule) as rule,
    coalesce(rejected.key, known.key) as key,
    rejected.key is null as is_gone
from {{ node.relation_name }} as rejected
full join (select * from ops.rejections where gone_at is null) as known
    on rejected.table_name = known.table_name
    and rejected.rule = known.rule and rejected.key = known.key
where rejected.key is null or known.key is null;
analyze pg_temp.changed_rejections;

update ops.rejections as known
set gone_at = now(), last_seen_at = coalesce(
    (select max(runs.published_at) from ops.runs), known.first_seen_at
)
from pg_temp.changed_rejections as gone
where gone.is_gone and known.table_name = gone.table_name
    and known.rule = gone.rule and known.key = gone.key;

insert into ops.rejections (table_name, rule, key, first_seen_at)
select distinct table_name, rule, key, now()
from pg_temp.changed_rejections
where not is_gone
on conflict (table_name, rule, key) do update set gone_at = null, last_seen_at = null;

delete from ops.rejections
where gone_at < now() - interval '{{ changes_retention_days() }} days';
{%- endfor -%}
{%- endmacro %}
