with classified as (
    select * from {{ ref('int_teams_users__classified') }}
),

accepted as (
    select
        team_id,
        user_id,
        projects_user_id,
        leader,
        validated,
        occurrence
    from classified
    where rule is null
)

select * from accepted
