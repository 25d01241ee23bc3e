with teams_users as (
    select * from {{ ref('stg_fortytwo__teams_users') }}
),

-- Who registered anew may have the team in both rows until the old one is known to be gone.
resolved as (
    select distinct on (team_id, user_id) *
    from teams_users
    order by team_id asc, user_id asc, projects_user_id desc, leader desc nulls last
)

select * from resolved
