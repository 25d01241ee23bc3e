with campuses as (
    select * from {{ ref('int_campuses__judged') }}
),

kept as (
    select id
    from campuses
    where rule is null
)

select * from kept
