with source as (
    select * from {{ source('fortytwo', 'events') }}
),

unnested as (
    select distinct
        cursus.element::bigint as cursus_id,
        source.id as event_id
    from source
    cross join lateral {{ json_list('source.cursus_ids', as_text=true) }} as cursus (element)
    where cursus.element is not null
)

select * from unnested
