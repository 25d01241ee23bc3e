with classified as (
    select * from {{ ref('int_events_users__classified') }}
),

accepted as (
    select
        id,
        event_id,
        user_id
    from classified
    where rule is null
)

select * from accepted
