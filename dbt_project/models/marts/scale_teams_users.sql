with classified as (
    select * from {{ ref('int_scale_teams_users__classified') }}
),

accepted as (
    select
        scale_team_id,
        user_id,
        role
    from classified
    where rule is null
)

select * from accepted
