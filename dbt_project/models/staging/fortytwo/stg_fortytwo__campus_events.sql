with source as (
    select * from {{ source('fortytwo', 'events') }}
),

unnested as (
    select distinct
        campus.element::bigint as campus_id,
        source.id as event_id
    from source
    cross join lateral {{ json_list('source.campus_ids', as_text=true) }} as campus (element)
    where campus.element is not null
)

select * from unnested
