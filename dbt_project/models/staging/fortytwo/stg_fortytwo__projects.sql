with source as (
    select * from {{ source('fortytwo', 'projects') }}
),

renamed as (
    select
        id,
        name,
        slug,
        difficulty,
        (parent ->> 'id')::bigint as parent_id,
        parent,
        children,
        attachments,
        exam,
        git_id,
        repository,
        recommendation,
        cursus,
        videos,
        created_at,
        updated_at
    from source
)

select * from renamed
