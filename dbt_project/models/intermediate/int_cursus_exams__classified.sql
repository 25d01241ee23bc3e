with cursus_exams as (
    select * from {{ ref('stg_fortytwo__cursus_exams') }}
),

accepted_exams as (
    select id
    from {{ ref('int_exams__classified') }}
    where rule is null
),

accepted_cursus as (
    select id
    from {{ ref('int_cursus__classified') }}
    where rule is null
),

classified as (
    select
        cursus_exams.*,
        {{ json_object({
            'cursus_id': 'cursus_exams.cursus_id',
            'exam_id': 'cursus_exams.exam_id',
        }) }} as key,
        case
            when accepted_exams.id is null then 'cursus_exam_exam_not_kept'
            when accepted_cursus.id is null then 'cursus_exam_cursus_not_kept'
        end as rule
    from cursus_exams
    left join accepted_exams on cursus_exams.exam_id = accepted_exams.id
    left join accepted_cursus on cursus_exams.cursus_id = accepted_cursus.id
)

select * from classified
