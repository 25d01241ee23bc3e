with classified as (
    select * from {{ ref('int_campus_events__classified') }}
),

accepted as (
    select
        campus_id,
        event_id
    from classified
    where rule is null
)

select * from accepted
