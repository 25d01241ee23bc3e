with presences as (
    select * from {{ ref('int_locations__presences') }}
),

users as (
    select * from {{ published('users') }}
),

campuses as (
    select * from {{ ref('int_campuses__local') }}
),

relation_reads as (
    select * from {{ ref('stg_ops__relation_reads') }}
    where table_name = 'locations'
),

local_presences as (
    select
        presences.user_id,
        users.login,
        campuses.id as campus_id,
        campuses.name as campus_name,
        campuses.time_zone,
        presences.begin_at,
        presences.until,
        presences.begin_at at time zone campuses.time_zone as local_begin,
        presences.until at time zone campuses.time_zone as local_until
    from presences
    inner join relation_reads on presences.user_id = relation_reads.user_id
    inner join users on presences.user_id = users.id
    inner join campuses on users.campus_id = campuses.id
),

-- Each presence once for each local day that it touches.
days as (
    select
        local_presences.user_id,
        local_presences.login,
        local_presences.campus_id,
        local_presences.campus_name,
        local_presences.begin_at,
        local_presences.until,
        local_day.midnight as day,
        {{ at_local_midnight('local_day.midnight', 'local_presences.time_zone') }} as day_begins,
        {{ at_local_midnight(
            "local_day.midnight + interval '1 day'", 'local_presences.time_zone'
        ) }} as day_ends
    from local_presences
    cross join
        lateral {{ each_day('local_presences.local_begin', 'local_presences.local_until') }}
            as local_day (midnight)
),

parts as (
    select
        user_id,
        login,
        campus_id,
        campus_name,
        day,
        {{ seconds_between('greatest(begin_at, day_begins)', 'least(until, day_ends)') }} as seconds
    from days
    where day_begins < until
),

logtime as (
    select
        user_id,
        login,
        campus_id,
        campus_name,
        date_trunc('week', day)::date as week,
        floor(round(sum(seconds)::numeric, 3) / 60)::bigint as minutes,
        count(distinct day) as days
    from parts
    group by user_id, login, campus_id, campus_name, date_trunc('week', day)
)

select * from logtime
