with project_campuses as (
    select * from {{ ref('stg_fortytwo__project_campuses') }}
),

campuses as (
    select * from {{ ref('campuses') }}
),

projects as (
    select * from {{ ref('projects') }}
),

kept as (
    select
        project_campuses.campus_id,
        project_campuses.project_id
    from project_campuses
    inner join campuses on project_campuses.campus_id = campuses.id
    inner join projects on project_campuses.project_id = projects.id
)

select * from kept
