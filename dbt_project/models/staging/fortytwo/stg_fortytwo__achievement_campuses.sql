with source as (
    select * from {{ source('fortytwo', 'achievements') }}
),

unnested as (
    select distinct
        source.id as achievement_id,
        campus.name as campus_name
    from source
    cross join lateral {{ json_list('source.campus', as_text=true) }} as campus (name)
    where campus.name is not null
)

select * from unnested
