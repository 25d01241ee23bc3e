with recursive presences as (
    select * from {{ ref('int_locations__presences') }}
),

users as (
    select * from {{ published('users') }}
),

campuses as (
    select * from {{ published('campuses') }}
),

relation_reads as (
    select * from {{ ref('stg_ops__relation_reads') }}
    where table_name = 'locations'
),

local_campuses as (
    select
        campuses.id,
        campuses.name,
        coalesce(known_zones.name, 'UTC') as time_zone
    from campuses
    left join {{ time_zone_names() }} as known_zones on campuses.time_zone = known_zones.name
),

-- Each presence once for each local day that it touches.
days as (
    select
        presences.user_id,
        users.login,
        local_campuses.id as campus_id,
        local_campuses.name as campus_name,
        local_campuses.time_zone,
        presences.begin_at,
        presences.until,
        date_trunc('day', presences.begin_at at time zone local_campuses.time_zone)::timestamp
            as day
    from presences
    inner join relation_reads on presences.user_id = relation_reads.user_id
    inner join users on presences.user_id = users.id
    inner join local_campuses on users.campus_id = local_campuses.id

    union all

    select
        user_id,
        login,
        campus_id,
        campus_name,
        time_zone,
        begin_at,
        until,
        day + interval '1 day' as day
    from days
    where (day + interval '1 day') at time zone time_zone < until
),

parts as (
    select
        user_id,
        login,
        campus_id,
        campus_name,
        day,
        least(until, (day + interval '1 day') at time zone time_zone)
        - greatest(begin_at, day at time zone time_zone) as duration
    from days
),

logtime as (
    select
        user_id,
        login,
        campus_id,
        campus_name,
        date_trunc('week', day)::date as week,
        floor(round(sum(extract(epoch from duration))::numeric, 3) / 60)::bigint as minutes,
        count(distinct day) as days
    from parts
    group by user_id, login, campus_id, campus_name, date_trunc('week', day)
)

select * from logtime
