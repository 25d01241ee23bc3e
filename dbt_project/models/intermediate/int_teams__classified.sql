with teams as (
    select * from {{ ref('int_teams__resolved') }}
),

team_ids as (
    select id from {{ ref('int_teams__resolved') }}
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

accepted_teams_users as (
    select teams_users.team_id
    from teams_users
    inner join accepted_users on teams_users.user_id = accepted_users.id
),

-- The few that have none, and not the distinct others: half the work with millions of teams.
without_accepted_member as (
    select team_ids.id
    from team_ids
    left join accepted_teams_users on team_ids.id = accepted_teams_users.team_id
    where accepted_teams_users.team_id is null
),

ruled as (
    select
        teams.*,
        case
            when accepted_projects.id is null then 'team_project_not_kept'
            when without_accepted_member.id is not null then 'team_without_kept_member'
        end as rule
    from teams
    left join accepted_projects on teams.project_id = accepted_projects.id
    left join without_accepted_member on teams.id = without_accepted_member.id
),

classified as (
    select
        *,
        -- Only rejected rows are asked for it, and this is a table: of millions it takes seconds.
        case when rule is not null then {{ json_object({'id': 'id'}) }} end as key
    from ruled
)

select * from classified
