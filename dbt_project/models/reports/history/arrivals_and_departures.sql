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
        dbt_is_deleted = 'True' as is_deleted,
        lag(dbt_is_deleted) over (partition by id order by dbt_valid_from) as was_deleted,
        min(dbt_valid_from) over () as history_began_at
    from users_history
),

events as (
    select
        versions.dbt_valid_from as seen_at,
        case when versions.is_deleted then 'left' else 'came' end as event,
        versions.id as user_id,
        users.login,
        versions.campus_id
    from versions
    left join users on versions.id = users.id
    -- Whom the first build found did not come that day.
    where
        versions.dbt_valid_from > versions.history_began_at
        and (versions.is_deleted or coalesce(versions.was_deleted, 'True') = 'True')
)

select * from events
