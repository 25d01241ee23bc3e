with projects as (
    select * from {{ ref('int_projects__judged') }}
),

kept as (
    select id
    from projects
    where rule is null
)

select * from kept
