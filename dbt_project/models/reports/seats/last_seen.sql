with sessions as (
    select * from {{ ref('int_locations__sessions') }}
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

-- Of a session that was never closed only the beginning is known.
moments as (
    select
        user_id,
        campus_id,
        host,
        is_open,
        coalesce(until, begin_at) as seen_at,
        row_number() over (
            partition by user_id order by coalesce(until, begin_at) desc, id desc
        ) as place
    from sessions
),

seen as (
    select
        users.id as user_id,
        users.login,
        users.campus_id,
        campuses.name as campus_name,
        moments.seen_at,
        moments.campus_id as seen_campus_id,
        moments.host,
        coalesce(moments.is_open, false) as is_seated
    from users
    inner join relation_reads on users.id = relation_reads.user_id
    inner join campuses on users.campus_id = campuses.id
    left join moments on users.id = moments.user_id and moments.place = 1
)

select * from seen
