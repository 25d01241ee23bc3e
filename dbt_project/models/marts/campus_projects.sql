with classified as (
    select * from {{ ref('int_campus_projects__classified') }}
),

accepted as (
    select
        campus_id,
        project_id
    from classified
    where rule is null
)

select * from accepted
