with classified as (
    select * from {{ ref('int_locations__classified') }}
),

accepted as (
    select
        id,
        user_id,
        campus_id,
        host,
        is_primary,
        begin_at,
        end_at
    from classified
    where rule is null
)

select * from accepted
