with campus_events as (
    select * from {{ ref('stg_fortytwo__campus_events') }}
),

accepted_events as (
    select id
    from {{ ref('int_events__classified') }}
    where rule is null
),

accepted_campuses as (
    select id
    from {{ ref('int_campuses__classified') }}
    where rule is null
),

classified as (
    select
        campus_events.*,
        {{ json_object({
            'campus_id': 'campus_events.campus_id',
            'event_id': 'campus_events.event_id',
        }) }} as key,
        case
            when accepted_events.id is null then 'campus_event_event_not_kept'
            when accepted_campuses.id is null then 'campus_event_campus_not_kept'
        end as rule
    from campus_events
    left join accepted_events on campus_events.event_id = accepted_events.id
    left join accepted_campuses on campus_events.campus_id = accepted_campuses.id
)

select * from classified
