with source as (
    select * from {{ source('fortytwo', 'blocs') }}
),

renamed as (
    select
        id,
        campus_id,
        cursus_id,
        squad_size,
        created_at,
        updated_at
    from source
)

select * from renamed
