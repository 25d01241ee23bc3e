with project_sessions as (
    select * from {{ ref('stg_fortytwo__project_sessions') }}
),

kept_projects as (
    select * from {{ ref('int_projects__offered') }}
),

kept_campuses as (
    select * from {{ ref('int_campuses__active') }}
),

rejected as (
    select
        {{ json_object({'id': 'project_sessions.id'}) }} as key,
        case
            when kept_projects.id is null then 'session_project_not_kept'
            else 'session_campus_not_kept'
        end as rule
    from project_sessions
    left join kept_projects on project_sessions.project_id = kept_projects.id
    left join kept_campuses on project_sessions.campus_id = kept_campuses.id
    where
        kept_projects.id is null
        -- A session without a campus is every campus' own.
        or (project_sessions.campus_id is not null and kept_campuses.id is null)
)

select * from rejected
