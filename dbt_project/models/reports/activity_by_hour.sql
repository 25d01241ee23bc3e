with projects_users as (
    select * from {{ published('projects_users') }}
),

achievements_users as (
    select * from {{ published('achievements_users') }}
),

users as (
    select * from {{ published('users') }}
),

campuses as (
    select * from {{ published('campuses') }}
),

local_campuses as (
    select
        campuses.id,
        campuses.name,
        coalesce(known_zones.name, 'UTC') as time_zone
    from campuses
    left join pg_timezone_names() as known_zones on campuses.time_zone = known_zones.name
),

project_events as (
    select
        projects_users.user_id,
        event.name as event,
        event.happened_at
    from projects_users
    cross join lateral (
        values
        ('project started', projects_users.created_at),
        ('project marked', projects_users.marked_at)
    ) as event (name, happened_at)
),

achievement_events as (
    select
        user_id,
        'achievement earned' as event,
        created_at as happened_at
    from achievements_users
),

events as (
    select * from project_events
    union all
    select * from achievement_events
),

-- Twelve whole weeks, so that no weekday counts more often than another.
local_events as (
    select
        local_campuses.id as campus_id,
        local_campuses.name as campus_name,
        events.event,
        events.happened_at at time zone local_campuses.time_zone as local_time
    from events
    inner join users on events.user_id = users.id
    inner join local_campuses on users.campus_id = local_campuses.id
    where events.happened_at > now() - interval '84 days' and events.happened_at <= now()
),

activity as (
    select
        campus_id,
        campus_name,
        extract(isodow from local_time)::bigint as weekday,
        extract(hour from local_time)::bigint as hour,
        count(*) filter (where event = 'project started') as projects_started,
        count(*) filter (where event = 'project marked') as projects_marked,
        count(*) filter (where event = 'achievement earned') as achievements_earned
    from local_events
    group by
        campus_id, campus_name, extract(isodow from local_time), extract(hour from local_time)
)

select * from activity
