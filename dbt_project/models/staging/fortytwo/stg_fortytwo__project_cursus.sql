with source as (
    select * from {{ source('fortytwo', 'projects') }}
),

unnested as (
    select distinct
        source.id as project_id,
        (cursus.element ->> 'id')::bigint as cursus_id
    from source
    cross join lateral {{ json_list('source.cursus') }} as cursus (element)
    where (cursus.element ->> 'id') is not null
)

select * from unnested
