with projects as (
    select * from {{ ref('stg_fortytwo__projects') }}
),

project_cursus as (
    select * from {{ ref('stg_fortytwo__project_cursus') }}
),

project_campuses as (
    select * from {{ ref('stg_fortytwo__project_campuses') }}
),

accepted_campuses as (
    select id
    from {{ ref('int_campuses__classified') }}
    where rule is null
),

in_the_cursus as (
    select project_id
    from project_cursus
    where cursus_id = {{ anchor_cursus_id() }}
),

at_an_accepted_campus as (
    select distinct project_campuses.project_id
    from project_campuses
    inner join accepted_campuses on project_campuses.campus_id = accepted_campuses.id
),

classified as (
    select
        projects.id,
        {{ json_object({'id': 'projects.id'}) }} as key,
        case
            when in_the_cursus.project_id is null then 'project_outside_cursus'
            when at_an_accepted_campus.project_id is null then 'project_without_kept_campus'
        end as rule
    from projects
    left join in_the_cursus on projects.id = in_the_cursus.project_id
    left join at_an_accepted_campus on projects.id = at_an_accepted_campus.project_id
)

select * from classified
