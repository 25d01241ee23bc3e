with teams as (
    select * from {{ ref('int_teams__resolved') }}
),

accepted_projects as (
    select id
    from {{ ref('int_projects__classified') }}
    where rule is null
),

teams_users as (
    select * from {{ ref('int_teams_users__unnested') }}
),

accepted_users as (
    select id
    from {{ ref('int_users__classified') }}
    where rule is null
),

with_accepted_member as (
    select distinct teams_users.team_id
    from teams_users
    inner join accepted_users on teams_users.user_id = accepted_users.id
),

classified as (
    select
        teams.*,
        {{ json_object({'id': 'teams.id'}) }} as key,
        case
            when accepted_projects.id is null then 'team_project_not_kept'
            when with_accepted_member.team_id is null then 'team_without_kept_member'
        end as rule
    from teams
    left join accepted_projects on teams.project_id = accepted_projects.id
    left join with_accepted_member on teams.id = with_accepted_member.team_id
)

select * from classified
