with source as (
    select * from {{ source('fortytwo', 'campus_users') }}
),

renamed as (
    select
        id,
        user_id,
        campus_id,
        is_primary,
        created_at,
        updated_at
    from source
)

select * from renamed
