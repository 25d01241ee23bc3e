with source as (
    select * from {{ source('fortytwo', 'users') }}
),

renamed as (
    select
        id,
        email,
        login,
        first_name,
        last_name,
        usual_full_name,
        usual_first_name,
        url,
        phone,
        displayname,
        kind,
        image,
        staff,
        correction_point,
        pool_month,
        pool_year,
        location,
        wallet,
        anonymize_date,
        data_erasure_date,
        created_at,
        updated_at,
        alumnized_at,
        alumni,
        active,
        campus_id
    from source
)

select * from renamed
