with exams_projects as (
    select * from {{ ref('stg_fortytwo__exams_projects') }}
),

accepted_exams as (
    select id
    from {{ ref('int_exams__classified') }}
    where rule is null
),

accepted_projects as (
    select id
    from {{ ref('int_projects__classified') }}
    where rule is null
),

classified as (
    select
        exams_projects.*,
        {{ json_object({
            'exam_id': 'exams_projects.exam_id',
            'project_id': 'exams_projects.project_id',
        }) }} as key,
        case
            when accepted_exams.id is null then 'exams_project_exam_not_kept'
            when accepted_projects.id is null then 'exams_project_project_not_kept'
        end as rule
    from exams_projects
    left join accepted_exams on exams_projects.exam_id = accepted_exams.id
    left join accepted_projects on exams_projects.project_id = accepted_projects.id
)

select * from classified
