with source as (
    select * from {{ source('fortytwo', 'exams') }}
),

unnested as (
    select distinct
        (cursus.element ->> 'id')::bigint as cursus_id,
        source.id as exam_id
    from source
    cross join lateral {{ json_list('source.cursus') }} as cursus (element)
    where (cursus.element ->> 'id') is not null
)

select * from unnested
