with events as (
    select * from {{ ref('stg_fortytwo__events') }}
),

campus_events as (
    select * from {{ ref('stg_fortytwo__campus_events') }}
),

cursus_events as (
    select * from {{ ref('stg_fortytwo__cursus_events') }}
),

accepted_campuses as (
    select id
    from {{ ref('int_campuses__classified') }}
    where rule is null
),

-- An event that names no cursus is for everybody.
with_cursus as (
    select
        event_id,
        bool_or(cursus_id = {{ anchor_cursus_id() }}) as is_in_the_cursus
    from cursus_events
    group by event_id
),

at_an_accepted_campus as (
    select distinct campus_events.event_id
    from campus_events
    inner join accepted_campuses on campus_events.campus_id = accepted_campuses.id
),

classified as (
    select
        events.*,
        {{ json_object({'id': 'events.id'}) }} as key,
        case
            when not with_cursus.is_in_the_cursus then 'event_outside_cursus'
            when at_an_accepted_campus.event_id is null then 'event_without_kept_campus'
        end as rule
    from events
    left join with_cursus on events.id = with_cursus.event_id
    left join at_an_accepted_campus on events.id = at_an_accepted_campus.event_id
)

select * from classified
