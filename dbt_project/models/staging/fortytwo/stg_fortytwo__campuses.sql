with source as (
    select * from {{ source('fortytwo', 'campus') }}
),

renamed as (
    select
        id,
        name,
        time_zone,
        language,
        users_count,
        vogsphere_id,
        country,
        address,
        zip,
        city,
        website,
        facebook,
        twitter,
        active,
        public,
        email_extension,
        default_hidden_phone,
        endpoint
    from source
)

select * from renamed
