with locations as (
    select * from {{ published('locations') }}
),

sessions as (
    select
        id,
        user_id,
        campus_id,
        host,
        is_primary,
        begin_at,
        end_at,
        end_at is null and begin_at > now() - interval '24 hours' as is_open
    from locations
    -- The API may list a session to come: nobody sits there yet.
    where begin_at <= now()
),

-- Nobody sits there for days: a session that was never closed has no known end.
bounded as (
    select
        *,
        case when is_open or end_at > now() then now() else end_at end as until
    from sessions
)

select * from bounded
