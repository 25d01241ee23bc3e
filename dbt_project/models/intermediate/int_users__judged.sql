with users as (
    select * from {{ ref('stg_fortytwo__users') }}
),

active_campuses as (
    select * from {{ ref('int_campuses__active') }}
),

judged as (
    select
        users.id,
        -- "In the cursus" needs no rule: only the cursus' own user list is ever read. A flag the
        -- API leaves null is not set, so a null `alumni` is no alumnus.
        case
            when coalesce(users.kind, '') <> 'student' then 'user_not_student'
            when users.alumni then 'user_alumni'
            when active_campuses.id is null then 'user_campus_not_kept'
        end as rule
    from users
    left join active_campuses on users.campus_id = active_campuses.id
)

select * from judged
