with users_history as (
    select * from {{ ref('users_history') }}
),

users as (
    select * from {{ published('users') }}
),

versions as (
    select
        id,
        campus_id,
        dbt_valid_from,
        lag(campus_id) over (partition by id order by dbt_valid_from) as campus_id_before
    from users_history
),

moves as (
    select
        versions.id as user_id,
        users.login,
        versions.campus_id_before as from_campus_id,
        versions.campus_id as to_campus_id,
        versions.dbt_valid_from as seen_at
    from versions
    inner join users on versions.id = users.id
    where versions.campus_id_before <> versions.campus_id
)

select * from moves
