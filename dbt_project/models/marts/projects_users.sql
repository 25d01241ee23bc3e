with listed as (
    select * from {{ ref('stg_fortytwo__projects_users') }}
),

projects as (
    select * from {{ ref('projects') }}
),

users as (
    select * from {{ ref('users') }}
),

kept as (
    select
        listed.id,
        listed.user_id,
        listed.project_id,
        listed.occurrence,
        listed.final_mark,
        listed.status,
        listed.validated,
        listed.current_team_id,
        listed.current_team,
        listed.cursus_ids,
        listed.marked_at,
        listed.marked,
        listed.retriable_at,
        listed.created_at,
        listed.updated_at
    from listed
    inner join projects on listed.project_id = projects.id
    inner join users on listed.user_id = users.id
)

select * from kept
