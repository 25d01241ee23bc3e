with source as (
    select * from {{ source('fortytwo', 'events_users') }}
),

renamed as (
    select
        id,
        event_id,
        user_id
    from source
)

select * from renamed
