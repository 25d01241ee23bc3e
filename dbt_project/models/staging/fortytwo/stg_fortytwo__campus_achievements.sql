with source as (
    select * from {{ source('fortytwo', 'campus_achievements') }}
),

renamed as (
    select
        campus_id,
        achievement_id
    from source
)

select * from renamed
