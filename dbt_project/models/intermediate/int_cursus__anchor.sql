with cursus as (
    select * from {{ ref('int_cursus__judged') }}
),

kept as (
    select id
    from cursus
    where rule is null
)

select * from kept
