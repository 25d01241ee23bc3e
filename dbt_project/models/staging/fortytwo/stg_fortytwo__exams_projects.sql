with source as (
    select * from {{ source('fortytwo', 'exams') }}
),

unnested as (
    select distinct
        source.id as exam_id,
        (project.element ->> 'id')::bigint as project_id
    from source
    cross join lateral {{ json_list('source.projects') }} as project (element)
    where (project.element ->> 'id') is not null
)

select * from unnested
