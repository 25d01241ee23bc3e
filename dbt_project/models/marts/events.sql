with classified as (
    select * from {{ ref('int_events__classified') }}
),

accepted as (
    select
        id,
        name,
        description,
        location,
        kind,
        max_people,
        nbr_subscribers,
        begin_at,
        end_at,
        prohibition_of_cancellation,
        waitlist,
        themes,
        created_at,
        updated_at
    from classified
    where rule is null
)

select * from accepted
