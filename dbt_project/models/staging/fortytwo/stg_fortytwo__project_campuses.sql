with source as (
    select * from {{ source('fortytwo', 'projects') }}
),

unnested as (
    select distinct
        source.id as project_id,
        (campus.element ->> 'id')::bigint as campus_id
    from source
    cross join lateral {{ json_list('source.campus') }} as campus (element)
    where (campus.element ->> 'id') is not null
)

select * from unnested
