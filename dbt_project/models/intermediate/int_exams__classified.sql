with exams as (
    select * from {{ ref('stg_fortytwo__exams') }}
),

cursus_exams as (
    select * from {{ ref('stg_fortytwo__cursus_exams') }}
),

accepted_campuses as (
    select id
    from {{ ref('int_campuses__classified') }}
    where rule is null
),

-- An exam that names no cursus is for everybody.
with_cursus as (
    select
        exam_id,
        bool_or(cursus_id = {{ anchor_cursus_id() }}) as is_in_the_cursus
    from cursus_exams
    group by exam_id
),

classified as (
    select
        exams.*,
        {{ json_object({'id': 'exams.id'}) }} as key,
        case
            when not with_cursus.is_in_the_cursus then 'exam_outside_cursus'
            when accepted_campuses.id is null then 'exam_campus_not_kept'
        end as rule
    from exams
    left join with_cursus on exams.id = with_cursus.exam_id
    left join accepted_campuses on exams.campus_id = accepted_campuses.id
)

select * from classified
