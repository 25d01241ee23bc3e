with campus_projects as (
    select * from {{ ref('stg_fortytwo__project_campuses') }}
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
        campus_projects.*,
        {{ json_object({
            'campus_id': 'campus_projects.campus_id',
            'project_id': 'campus_projects.project_id',
        }) }} as key,
        case
            when accepted_projects.id is null then 'campus_project_project_not_kept'
            when accepted_campuses.id is null then 'campus_project_campus_not_kept'
        end as rule
    from campus_projects
    left join accepted_projects on campus_projects.project_id = accepted_projects.id
    left join accepted_campuses on campus_projects.campus_id = accepted_campuses.id
)

select * from classified
