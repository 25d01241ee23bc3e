with users as (
    select * from {{ ref('int_users__judged') }}
),

kept as (
    select
        id,
        campus_id
    from users
    where rule is null
)

select * from kept
