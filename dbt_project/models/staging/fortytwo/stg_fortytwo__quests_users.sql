with source as (
    select * from {{ source('fortytwo', 'quests_users') }}
),

renamed as (
    select
        id,
        user_id,
        quest_id,
        end_at,
        validated_at,
        prct,
        advancement,
        created_at,
        updated_at
    from source
)

select * from renamed
