with classified as (
    select * from {{ ref('int_coalitions_users__classified') }}
),

accepted as (
    select
        id,
        coalition_id,
        user_id,
        score,
        rank,
        created_at,
        updated_at
    from classified
    where rule is null
)

select * from accepted
