with events_users as (
    select * from {{ ref('stg_fortytwo__events_users') }}
),

accepted_events as (
    select id
    from {{ ref('int_events__classified') }}
    where rule is null
),

accepted_users as (
    select id
    from {{ ref('int_users__classified') }}
    where rule is null
),

classified as (
    select
        events_users.*,
        {{ json_object({'id': 'events_users.id'}) }} as key,
        case
            when accepted_events.id is null then 'events_user_event_not_kept'
            when accepted_users.id is null then 'events_user_user_not_kept'
        end as rule
    from events_users
    left join accepted_events on events_users.event_id = accepted_events.id
    left join accepted_users on events_users.user_id = accepted_users.id
)

select * from classified
