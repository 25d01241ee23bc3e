with classified as (
    select * from {{ ref('int_teams__classified') }}
),

accepted as (
    select
        id,
        project_id,
        project_session_id,
        status,
        final_mark,
        validated,
        locked,
        closed,
        locked_at,
        closed_at,
        terminating_at,
        created_at,
        updated_at
    from classified
    where rule is null
)

select * from accepted
