with source as (
    select * from {{ source('fortytwo', 'coalitions') }}
),

renamed as (
    select
        id,
        name,
        slug,
        image_url,
        cover_url,
        color,
        score,
        user_id
    from source
)

select * from renamed
