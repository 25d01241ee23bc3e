with scale_teams as (
    select * from {{ ref('stg_fortytwo__scale_teams') }}
),

scale_team_ids as (
    select id from {{ ref('stg_fortytwo__scale_teams') }}
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

accepted_scale_teams_users as (
    select scale_teams_users.scale_team_id
    from scale_teams_users
    inner join accepted_users on scale_teams_users.user_id = accepted_users.id
),

without_accepted_user as (
    select scale_team_ids.id
    from scale_team_ids
    left join accepted_scale_teams_users
        on scale_team_ids.id = accepted_scale_teams_users.scale_team_id
    where accepted_scale_teams_users.scale_team_id is null
),

ruled as (
    select
        scale_teams.*,
        case
            when scale_teams.begin_at is null then 'scale_team_without_begin'
            when scale_teams.project_id is not null and accepted_projects.id is null
                then 'scale_team_project_not_kept'
            -- Whoever is hidden may be accepted: it shows a quarter of an hour before.
            when
                without_accepted_user.id is not null
                and scale_teams.corrector_hidden is not true
                and scale_teams.corrected_hidden is not true
                then 'scale_team_without_kept_user'
        end as rule
    from scale_teams
    left join accepted_projects on scale_teams.project_id = accepted_projects.id
    left join without_accepted_user on scale_teams.id = without_accepted_user.id
),

classified as (
    select
        *,
        -- Only rejected rows are asked for it, and this is a table: of millions it takes seconds.
        case when rule is not null then {{ json_object({'id': 'id'}) }} end as key
    from ruled
)

select * from classified
