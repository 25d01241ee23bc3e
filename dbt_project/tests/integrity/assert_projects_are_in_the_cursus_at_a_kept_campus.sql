/*
What it checks: rule 2. Each project has the anchor cursus in its cursus list and a kept campus.
When it matters: a project without either would be a row that no kept student can work on.
How to resolve: look the project up in int_projects__classified and raw.projects; the rule there and
this test must read the same lists.
*/
with projects as (
    select * from {{ ref('projects') }}
),

in_cursus as (
    select distinct projects.id
    from projects
    cross join lateral {{ json_list('projects.cursus') }} as cursus (element)
    where (cursus.element ->> 'id')::bigint = {{ anchor_cursus_id() }}
),

offered as (
    select distinct project_id from {{ ref('campus_projects') }}
),

misplaced as (
    select projects.id
    from projects
    left join in_cursus on projects.id = in_cursus.id
    left join offered on projects.id = offered.project_id
    where in_cursus.id is null or offered.project_id is null
)

select * from misplaced
