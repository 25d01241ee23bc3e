with scale_teams as (
    select * from {{ ref('stg_fortytwo__scale_teams') }}
),

scale_teams_users as (
    select * from {{ ref('int_scale_teams_users__unnested') }}
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

with_accepted_user as (
    select distinct scale_teams_users.scale_team_id
    from scale_teams_users
    inner join accepted_users on scale_teams_users.user_id = accepted_users.id
),

classified as (
    select
        scale_teams.*,
        {{ json_object({'id': 'scale_teams.id'}) }} as key,
        case
            when scale_teams.project_id is not null and accepted_projects.id is null
                then 'scale_team_project_not_kept'
            -- Whoever is hidden may be accepted: it shows a quarter of an hour before.
            when
                with_accepted_user.scale_team_id is null
                and scale_teams.corrector_hidden is not true
                and scale_teams.corrected_hidden is not true
                then 'scale_team_without_kept_user'
        end as rule
    from scale_teams
    left join accepted_projects on scale_teams.project_id = accepted_projects.id
    left join with_accepted_user on scale_teams.id = with_accepted_user.scale_team_id
)

select * from classified
