with recursive presences as (
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

-- Each presence once for each local day that it touches.
days as (
    select
        presences.user_id,
        users.login,
        campuses.id as campus_id,
        campuses.name as campus_name,
        campuses.time_zone,
        presences.begin_at,
        presences.until,
        date_trunc('day', presences.begin_at at time zone campuses.time_zone)::timestamp
            as day
    from presences
    inner join relation_reads on presences.user_id = relation_reads.user_id
    inner join users on presences.user_id = users.id
    inner join campuses on users.campus_id = campuses.id

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
