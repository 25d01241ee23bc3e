with source as (
    select * from {{ source('fortytwo', 'projects_users') }}
),

renamed as (
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
    from source
)

select * from renamed
