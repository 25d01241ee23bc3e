with source as (
    select * from {{ source('fortytwo', 'projects_users_teams') }}
),

unnested as (
    select
        source.id as projects_user_id,
        source.user_id,
        (team.element ->> 'id')::bigint as team_id,
        member.element
    from source
    cross join lateral {{ json_list('source.teams') }} as team (element)
    cross join lateral {{ json_list("(team.element -> 'users')") }} as member (element)
),

-- Everybody is taken from their own row: the lists of others name members who are gone.
renamed as (
    select
        team_id,
        user_id,
        projects_user_id,
        (element ->> 'leader')::boolean as leader,
        (element ->> 'validated')::boolean as validated,
        (element ->> 'occurrence')::bigint as occurrence
    from unnested
    where (element ->> 'user_id')::bigint = user_id
)

select * from renamed
