with users as (
    select * from {{ ref('stg_fortytwo__users') }}
),

campus_users as (
    select * from {{ ref('stg_fortytwo__campus_users') }}
),

active_campuses as (
    select * from {{ ref('int_campuses__active') }}
),

-- The API has been seen to flag two campuses as primary: the membership touched last counts.
primary_campuses as (
    select distinct on (user_id)
        user_id,
        campus_id
    from campus_users
    where is_primary
    order by user_id, updated_at desc nulls last, id desc
),

-- Users are read one primary campus at a time, so the campus is known from the walk; only a user
-- that another read brought needs the membership.
users_at_their_campus as (
    select
        users.id,
        users.kind,
        users.alumni,
        coalesce(users.campus_id, primary_campuses.campus_id) as campus_id
    from users
    left join primary_campuses on users.id = primary_campuses.user_id
),

judged as (
    select
        users_at_their_campus.id,
        users_at_their_campus.campus_id,
        -- "In the cursus" needs no rule here: only the cursus' own user list is ever read.
        case
            when users_at_their_campus.kind is distinct from 'student' then 'user_not_student'
            when users_at_their_campus.alumni then 'user_alumni'
            when users_at_their_campus.campus_id is null then 'user_without_campus'
            when active_campuses.id is null then 'user_campus_not_kept'
        end as rule
    from users_at_their_campus
    left join active_campuses on users_at_their_campus.campus_id = active_campuses.id
)

select * from judged
