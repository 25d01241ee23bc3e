with classified as (
    select * from {{ ref('int_cursus_exams__classified') }}
),

accepted as (
    select
        cursus_id,
        exam_id
    from classified
    where rule is null
)

select * from accepted
