with source as (
    select * from {{ source('fortytwo', 'cursus_users') }}
),

renamed as (
    select
        id,
        user_id,
        cursus_id,
        begin_at,
        end_at,
        grade,
        level,
        skills,
        has_coalition,
        blackholed_at,
        created_at,
        updated_at
    from source
)

select * from renamed
