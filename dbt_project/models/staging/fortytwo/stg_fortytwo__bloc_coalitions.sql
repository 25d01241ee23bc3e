with source as (
    select * from {{ source('fortytwo', 'blocs') }}
),

unnested as (
    select distinct
        source.id as bloc_id,
        (coalition.element ->> 'id')::bigint as coalition_id
    from source
    cross join lateral {{ json_list('source.coalitions') }} as coalition (element)
    where (coalition.element ->> 'id') is not null
)

select * from unnested
