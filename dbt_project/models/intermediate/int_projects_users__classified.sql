with projects_users as (
    select * from {{ ref('stg_fortytwo__projects_users') }}
),

accepted_projects as (
    select id
    from {{ ref('int_projects__classified') }}
    where rule is null
),

accepted_users as (
    select id
    from {{ ref('int_users__classified') }}
    where rule is null
),

classified as (
    select
        projects_users.*,
        {{ json_object({'id': 'projects_users.id'}) }} as key,
        case
            when accepted_projects.id is null then 'projects_user_project_not_kept'
            when accepted_users.id is null then 'projects_user_user_not_kept'
        end as rule
    from projects_users
    left join accepted_projects on projects_users.project_id = accepted_projects.id
    left join accepted_users on projects_users.user_id = accepted_users.id
)

select * from classified
