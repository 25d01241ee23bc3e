with campuses as (
    select * from {{ published('campuses') }}
),

enrolments as (
    select * from {{ ref('int_students__enrolled') }}
),

students_by_status as (
    select
        campuses.id as campus_id,
        campuses.name as campus_name,
        count(enrolments.user_id) as students,
        count(*) filter (where enrolments.enrolled) as enrolled,
        count(*) filter (where enrolments.active) as active,
        count(*) filter (where enrolments.enrolled and enrolments.active) as enrolled_active,
        count(*) filter (where enrolments.past_due) as past_due,
        count(*) filter (where enrolments.past_due and enrolments.active) as past_due_active,
        count(*) filter (where enrolments.blackholed) as blackholed,
        count(*) filter (where not enrolments.enrolled and not enrolments.blackholed) as ended
    from campuses
    left join enrolments on campuses.id = enrolments.campus_id
    group by campuses.id, campuses.name
)

select * from students_by_status
