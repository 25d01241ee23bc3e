with source as (
    select * from {{ source('fortytwo', 'exams') }}
),

renamed as (
    select
        id,
        campus_id,
        name,
        location,
        max_people,
        nbr_subscribers,
        begin_at,
        end_at,
        created_at,
        updated_at
    from source
)

select * from renamed
