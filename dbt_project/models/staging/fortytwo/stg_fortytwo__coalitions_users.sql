with source as (
    select * from {{ source('fortytwo', 'coalitions_users') }}
),

renamed as (
    select
        id,
        coalition_id,
        user_id,
        score,
        rank,
        created_at,
        updated_at
    from source
)

select * from renamed
