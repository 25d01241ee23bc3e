with source as (
    select * from {{ source('fortytwo', 'achievements_users') }}
),

renamed as (
    select
        id,
        achievement_id,
        user_id,
        nbr_of_success,
        url,
        created_at,
        updated_at
    from source
)

select * from renamed
