with classified as (
    select * from {{ ref('int_projects_users__classified') }}
),

accepted as (
    select
        id,
        user_id,
        project_id,
        occurrence,
        final_mark,
        status,
        validated,
        current_team_id,
        current_team,
        cursus_ids,
        marked_at,
        marked,
        retriable_at,
        created_at,
        updated_at
    from classified
    where rule is null
)

select * from accepted
