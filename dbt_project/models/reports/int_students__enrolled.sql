with users as (
    select * from {{ published('users') }}
),

campuses as (
    select * from {{ published('campuses') }}
),

cursus_users as (
    select * from {{ published('cursus_users') }}
),

-- A student may have been enrolled before: the running enrolment counts, else the last one.
enrolments as (
    select distinct on (user_id)
        user_id,
        level,
        grade,
        end_at,
        blackholed_at
    from cursus_users
    order by user_id asc, coalesce(end_at > now(), true) desc, begin_at desc nulls last, id desc
),

enrolled as (
    select
        users.id as user_id,
        users.login,
        users.usual_full_name,
        users.active,
        users.campus_id,
        campuses.name as campus_name,
        enrolments.level,
        enrolments.grade,
        enrolments.end_at,
        enrolments.blackholed_at,
        coalesce(enrolments.end_at > now(), true) as enrolled,
        coalesce(
            enrolments.end_at <= now() and enrolments.blackholed_at <= enrolments.end_at, false
        ) as blackholed,
        coalesce(
            coalesce(enrolments.end_at > now(), true) and enrolments.blackholed_at <= now(), false
        ) as past_due
    from users
    inner join campuses on users.campus_id = campuses.id
    inner join enrolments on users.id = enrolments.user_id
)

select * from enrolled
