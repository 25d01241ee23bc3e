with source as (
    select * from {{ source('fortytwo', 'achievements') }}
),

renamed as (
    select
        id,
        name,
        description,
        tier,
        kind,
        visible,
        image,
        nbr_of_success,
        users_url,
        (parent ->> 'id')::bigint as parent_id,
        parent,
        achievements,
        title
    from source
)

select * from renamed
