with cursus_events as (
    select * from {{ ref('stg_fortytwo__cursus_events') }}
),

accepted_events as (
    select id
    from {{ ref('int_events__classified') }}
    where rule is null
),

accepted_cursus as (
    select id
    from {{ ref('int_cursus__classified') }}
    where rule is null
),

classified as (
    select
        cursus_events.*,
        {{ json_object({
            'cursus_id': 'cursus_events.cursus_id',
            'event_id': 'cursus_events.event_id',
        }) }} as key,
        case
            when accepted_events.id is null then 'cursus_event_event_not_kept'
            when accepted_cursus.id is null then 'cursus_event_cursus_not_kept'
        end as rule
    from cursus_events
    left join accepted_events on cursus_events.event_id = accepted_events.id
    left join accepted_cursus on cursus_events.cursus_id = accepted_cursus.id
)

select * from classified
