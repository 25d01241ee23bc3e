with classified as (
    select * from {{ ref('int_cursus_events__classified') }}
),

accepted as (
    select
        cursus_id,
        event_id
    from classified
    where rule is null
)

select * from accepted
