with relation_reads as (
    select * from {{ source('ops', 'relation_reads') }}
),

published as (
    select
        resource as table_name,
        user_id,
        read_at
    from relation_reads
    where read_at <= {{ published_until() }}
)

select * from published
