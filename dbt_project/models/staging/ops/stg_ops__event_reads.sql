with event_reads as (
    select * from {{ source('ops', 'event_reads') }}
),

published as (
    select
        resource as table_name,
        event_id,
        read_at
    from event_reads
    where read_at <= {{ published_until() }}
)

select * from published
