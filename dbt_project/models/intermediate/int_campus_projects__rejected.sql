with project_campuses as (
    select * from {{ ref('stg_fortytwo__project_campuses') }}
),

kept_projects as (
    select * from {{ ref('int_projects__offered') }}
),

kept_campuses as (
    select * from {{ ref('int_campuses__active') }}
),

rejected as (
    select
        {{ json_object({
            'campus_id': 'project_campuses.campus_id',
            'project_id': 'project_campuses.project_id',
        }) }} as key,
        case
            when kept_projects.id is null then 'campus_project_project_not_kept'
            else 'campus_project_campus_not_kept'
        end as rule
    from project_campuses
    left join kept_projects on project_campuses.project_id = kept_projects.id
    left join kept_campuses on project_campuses.campus_id = kept_campuses.id
    where kept_projects.id is null or kept_campuses.id is null
)

select * from rejected
