with source as (
    select * from {{ source('fortytwo', 'projects_users_teams') }}
),

teams as (
    select
        id as projects_user_id,
        user_id,
        {{ json_list('teams') }} as element
    from source
),

members as (
    select
        projects_user_id,
        user_id,
        (element ->> 'id')::bigint as team_id,
        {{ json_list("(element -> 'users')") }} as member
    from teams
),

-- Everybody is taken from their own row: the lists of others name members who are gone.
renamed as (
    select
        team_id,
        user_id,
        projects_user_id,
        (member ->> 'leader')::boolean as leader,
        (member ->> 'validated')::boolean as validated,
        (member ->> 'occurrence')::bigint as occurrence
    from members
    where (member ->> 'user_id')::bigint = user_id
)

select * from renamed
