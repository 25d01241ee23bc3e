with source as (
    select * from {{ source('fortytwo', 'events') }}
),

renamed as (
    select
        id,
        name,
        description,
        location,
        kind,
        max_people,
        nbr_subscribers,
        begin_at,
        end_at,
        prohibition_of_cancellation,
        waitlist,
        themes,
        created_at,
        updated_at
    from source
)

select * from renamed
