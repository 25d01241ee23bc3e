with teams_users as (
    select * from {{ ref('int_teams_users__unnested') }}
),

-- Each team comes from the same lists: joined are the few rejected ones, not millions.
rejected_teams as (
    select id
    from {{ ref('int_teams__classified') }}
    where rule is not null
),

accepted_users as (
    select id
    from {{ ref('int_users__classified') }}
    where rule is null
),

classified as (
    select
        teams_users.*,
        {{ json_object({
            'team_id': 'teams_users.team_id',
            'user_id': 'teams_users.user_id',
        }) }} as key,
        case
            when rejected_teams.id is not null then 'teams_user_team_not_kept'
            when accepted_users.id is null then 'teams_user_user_not_kept'
        end as rule
    from teams_users
    left join rejected_teams on teams_users.team_id = rejected_teams.id
    left join accepted_users on teams_users.user_id = accepted_users.id
)

select * from classified
