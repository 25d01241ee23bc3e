with scale_teams_users as (
    select * from {{ ref('int_scale_teams_users__unnested') }}
),

-- Each evaluation is the row that named its people: joined are the few rejected ones.
rejected_scale_teams as (
    select id
    from {{ ref('int_scale_teams__classified') }}
    where rule is not null
),

accepted_users as (
    select id
    from {{ ref('int_users__classified') }}
    where rule is null
),

classified as (
    select
        scale_teams_users.*,
        {{ json_object({
            'scale_team_id': 'scale_teams_users.scale_team_id',
            'user_id': 'scale_teams_users.user_id',
            'role': 'scale_teams_users.role',
        }) }} as key,
        case
            when rejected_scale_teams.id is not null then 'scale_teams_user_scale_team_not_kept'
            when accepted_users.id is null then 'scale_teams_user_user_not_kept'
        end as rule
    from scale_teams_users
    left join rejected_scale_teams
        on scale_teams_users.scale_team_id = rejected_scale_teams.id
    left join accepted_users on scale_teams_users.user_id = accepted_users.id
)

select * from classified
