with enrolments as (
    select * from {{ ref('int_students__enrolled') }}
),

students_by_level as (
    select
        campus_id,
        campus_name,
        floor(level)::bigint as level,
        count(*) as students,
        count(*) filter (where active) as active_students
    from enrolments
    group by campus_id, campus_name, floor(level)
)

select * from students_by_level
