with project_sessions as (
    select * from {{ ref('stg_fortytwo__project_sessions') }}
),

accepted_projects as (
    select id
    from {{ ref('int_projects__classified') }}
    where rule is null
),

accepted_campuses as (
    select id
    from {{ ref('int_campuses__classified') }}
    where rule is null
),

classified as (
    select
        project_sessions.*,
        {{ json_object({'id': 'project_sessions.id'}) }} as key,
        case
            when accepted_projects.id is null then 'session_project_not_kept'
            -- A session without a campus is every campus' own.
            when project_sessions.campus_id is not null and accepted_campuses.id is null
                then 'session_campus_not_kept'
        end as rule
    from project_sessions
    left join accepted_projects on project_sessions.project_id = accepted_projects.id
    left join accepted_campuses on project_sessions.campus_id = accepted_campuses.id
)

select * from classified
