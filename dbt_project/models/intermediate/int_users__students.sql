with users as (
    select * from {{ ref('int_users__judged') }}
),

kept as (
    select id
    from users
    where rule is null
)

select * from kept
