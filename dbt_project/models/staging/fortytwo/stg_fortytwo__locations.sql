with source as (
    select * from {{ source('fortytwo', 'locations') }}
),

renamed as (
    select
        id,
        user_id,
        campus_id,
        host,
        is_primary,
        begin_at,
        end_at
    from source
)

select * from renamed
