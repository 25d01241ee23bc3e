with classified as (
    select * from {{ ref('int_exams_projects__classified') }}
),

accepted as (
    select
        exam_id,
        project_id
    from classified
    where rule is null
)

select * from accepted
