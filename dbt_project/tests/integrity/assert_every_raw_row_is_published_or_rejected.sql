/*
What it checks: of each published table, every raw row is either in the mart or in
int_rejected_rows, and in one of them only. What leads to campus_achievements has its own test.
When it matters: a join that loses or multiplies rows, or a rule that is not recorded, shows here.
How to resolve: compare the keys; a row in neither place needs a rule, a row in both has two.
*/
{%- set raw_rows = {
    'campus_projects': 'stg_fortytwo__project_campuses',
    'teams': 'int_teams__resolved',
    'teams_users': 'int_teams_users__unnested',
    'scale_teams_users': 'int_scale_teams_users__unnested',
} %}

with rejected_rows as (
    select
        table_name,
        count(*) as total
    from {{ ref('int_rejected_rows') }}
    group by table_name
),

counted as (
    {%- for table in var('published_tables') if table != 'campus_achievements' %}
        {%- set raw = raw_rows.get(table, 'stg_fortytwo__' ~ table) %}
        select
            '{{ table }}' as table_name,
            (select count(*) from {{ ref(raw) }}) as in_raw,
            (select count(*) from {{ ref(table) }}) as kept
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

unaccounted as (
    select
        counted.table_name,
        counted.in_raw,
        counted.kept,
        coalesce(rejected_rows.total, 0) as rejected
    from counted
    left join rejected_rows on counted.table_name = rejected_rows.table_name
    where counted.in_raw <> counted.kept + coalesce(rejected_rows.total, 0)
)

select * from unaccounted
