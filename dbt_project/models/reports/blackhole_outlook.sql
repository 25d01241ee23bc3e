with enrolments as (
    select * from {{ ref('int_students__enrolled') }}
),

due_soon as (
    select
        user_id,
        login,
        usual_full_name,
        campus_id,
        campus_name,
        level,
        grade,
        blackholed_at,
        ceil({{ seconds_between('now()', 'blackholed_at') }} / 86400)::bigint as days_left
    from enrolments
    where
        blackholed_at > now()
        and blackholed_at <= now() + interval '14 days'
        -- Who has left the cursus has nothing to fear any more.
        and enrolled
)

select * from due_soon
