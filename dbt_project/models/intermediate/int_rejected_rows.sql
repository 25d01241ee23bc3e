{#- Entities are judged row by row; links and relations are rejected for a parent they lack. -#}
{%- set judged = ['cursus', 'campuses', 'projects', 'achievements', 'users'] -%}
{%- set orphaned = [
    'campus_projects', 'campus_achievements', 'project_sessions', 'cursus_users',
    'projects_users', 'achievements_users', 'coalitions_users',
] -%}

with rejected_rows as (
    {%- for table in judged %}
        select
            '{{ table }}' as table_name,
            {{ json_object({'id': 'id'}) }} as key,
            rule
        from {{ ref('int_' ~ table ~ '__judged') }}
        where rule is not null
        union all
    {%- endfor %}
    {%- for table in orphaned %}
        select
            '{{ table }}' as table_name,
            key,
            rule
        from {{ ref('int_' ~ table ~ '__rejected') }}
        {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select * from rejected_rows
