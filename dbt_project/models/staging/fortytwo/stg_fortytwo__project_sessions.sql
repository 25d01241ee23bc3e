with source as (
    select * from {{ source('fortytwo', 'projects') }}
),

unnested as (
    select
        source.id as project_id,
        session.element
    from source
    cross join lateral {{ json_list('source.project_sessions') }} as session (element)
    where (session.element ->> 'id') is not null
),

renamed as (
    select
        (element ->> 'id')::bigint as id,
        project_id,
        (element ->> 'campus_id')::bigint as campus_id,
        (element ->> 'cursus_id')::bigint as cursus_id,
        (element ->> 'solo')::boolean as solo,
        (element ->> 'begin_at')::timestamptz as begin_at,
        (element ->> 'end_at')::timestamptz as end_at,
        element ->> 'estimate_time' as estimate_time,
        (element ->> 'difficulty')::bigint as difficulty,
        nullif(element -> 'objectives', 'null') as objectives,
        element ->> 'description' as description,
        (element ->> 'duration_days')::bigint as duration_days,
        (element ->> 'terminating_after')::bigint as terminating_after,
        (element ->> 'max_people')::bigint as max_people,
        (element ->> 'is_subscriptable')::boolean as is_subscriptable,
        nullif(element -> 'scales', 'null') as scales,
        nullif(element -> 'uploads', 'null') as uploads,
        element ->> 'team_behaviour' as team_behaviour,
        element ->> 'commit' as commit,
        (element ->> 'created_at')::timestamptz as created_at,
        (element ->> 'updated_at')::timestamptz as updated_at
    from unnested
)

select * from renamed
