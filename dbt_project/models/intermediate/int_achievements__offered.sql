with achievements as (
    select * from {{ ref('int_achievements__judged') }}
),

kept as (
    select id
    from achievements
    where rule is null
)

select * from kept
