with events as (
    select * from {{ published('events') }}
),

campus_events as (
    select * from {{ published('campus_events') }}
),

events_users as (
    select * from {{ published('events_users') }}
),

exams as (
    select * from {{ published('exams') }}
),

campuses as (
    select * from {{ published('campuses') }}
),

event_reads as (
    select * from {{ ref('stg_ops__event_reads') }}
),

signed_up as (
    select
        event_id,
        count(distinct user_id) as students
    from events_users
    group by event_id
),

agenda as (
    select
        'events' as table_name,
        events.id,
        campus_events.campus_id,
        events.name,
        events.kind,
        events.location,
        events.begin_at,
        events.end_at,
        events.max_people,
        events.nbr_subscribers,
        -- Who has signed up is known once the list of the event was read.
        case
            when event_reads.event_id is not null then coalesce(signed_up.students, 0)
        end as students_signed_up
    from events
    inner join campus_events on events.id = campus_events.event_id
    left join signed_up on events.id = signed_up.event_id
    left join event_reads
        on events.id = event_reads.event_id and event_reads.table_name = 'events_users'

    union all

    select
        'exams' as table_name,
        id,
        campus_id,
        name,
        'exam' as kind,
        location,
        begin_at,
        end_at,
        max_people,
        nbr_subscribers,
        null as students_signed_up
    from exams
),

upcoming as (
    select
        agenda.campus_id,
        campuses.name as campus_name,
        agenda.table_name,
        agenda.id,
        agenda.name,
        agenda.kind,
        agenda.location,
        agenda.begin_at,
        agenda.end_at,
        agenda.max_people,
        agenda.nbr_subscribers,
        agenda.students_signed_up
    from agenda
    inner join campuses on agenda.campus_id = campuses.id
    where
        -- An end may be missing, or mistyped as before the beginning.
        greatest(agenda.end_at, agenda.begin_at) > now()
        and agenda.begin_at <= now() + interval '14 days'
)

select * from upcoming
