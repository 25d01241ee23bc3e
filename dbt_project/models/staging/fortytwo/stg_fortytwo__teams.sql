with source as (
    select * from {{ source('fortytwo', 'projects_users_teams') }}
),

unnested as (
    select
        id as projects_user_id,
        {{ json_list('teams') }} as element
    from source
),

renamed as (
    select
        projects_user_id,
        (element ->> 'id')::bigint as id,
        (element ->> 'project_id')::bigint as project_id,
        (element ->> 'project_session_id')::bigint as project_session_id,
        element ->> 'status' as status,
        (element ->> 'final_mark')::bigint as final_mark,
        (element ->> 'validated?')::boolean as validated,
        (element ->> 'locked?')::boolean as locked,
        (element ->> 'closed?')::boolean as closed,
        (element ->> 'locked_at')::timestamptz as locked_at,
        (element ->> 'closed_at')::timestamptz as closed_at,
        (element ->> 'terminating_at')::timestamptz as terminating_at,
        (element ->> 'created_at')::timestamptz as created_at,
        (element ->> 'updated_at')::timestamptz as updated_at
    from unnested
)

select * from renamed
