with projects_users as (
    select * from {{ ref('stg_fortytwo__projects_users') }}
),

kept_projects as (
    select * from {{ ref('int_projects__offered') }}
),

kept_users as (
    select * from {{ ref('int_users__students') }}
),

rejected as (
    select
        {{ json_object({'id': 'projects_users.id'}) }} as key,
        case
            when kept_projects.id is null then 'projects_user_project_not_kept'
            else 'projects_user_user_not_kept'
        end as rule
    from projects_users
    left join kept_projects on projects_users.project_id = kept_projects.id
    left join kept_users on projects_users.user_id = kept_users.id
    where kept_projects.id is null or kept_users.id is null
)

select * from rejected
