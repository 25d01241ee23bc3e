with source as (
    select * from {{ source('fortytwo', 'cursus') }}
),

renamed as (
    select
        id,
        name,
        slug,
        kind,
        created_at
    from source
)

select * from renamed
