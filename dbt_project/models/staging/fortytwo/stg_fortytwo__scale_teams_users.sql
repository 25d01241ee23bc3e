with source as (
    select * from {{ source('fortytwo', 'scale_teams') }}
),

unnested as (
    select distinct
        source.id as scale_team_id,
        (person.element ->> 'user_id')::bigint as user_id,
        person.element ->> 'role' as role
    from source
    cross join lateral {{ json_list('source.people') }} as person (element)
)

select * from unnested
