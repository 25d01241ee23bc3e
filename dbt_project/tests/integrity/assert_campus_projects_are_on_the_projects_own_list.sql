/*
What it checks: rule 3. The raw project itself lists the campus of each pair.
When it matters: a pair that the project does not list (a cross product, a stale join) says that a
campus offers what it does not.
How to resolve: compare stg_fortytwo__project_campuses with raw.projects for the project.
*/
with campus_projects as (
    select * from {{ ref('campus_projects') }}
),

projects as (
    select * from {{ source('fortytwo', 'projects') }}
),

listed as (
    select
        projects.id as project_id,
        (campus.element ->> 'id')::bigint as campus_id
    from projects
    cross join lateral {{ json_list('projects.campus') }} as campus (element)
),

invented as (
    select
        campus_projects.campus_id,
        campus_projects.project_id
    from campus_projects
    left join listed
        on
            campus_projects.project_id = listed.project_id
            and campus_projects.campus_id = listed.campus_id
    where listed.project_id is null
)

select * from invented
