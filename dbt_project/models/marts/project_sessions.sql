with listed_sessions as (
    select * from {{ ref('stg_fortytwo__project_sessions') }}
),

projects as (
    select * from {{ ref('projects') }}
),

campuses as (
    select * from {{ ref('campuses') }}
),

kept as (
    select
        listed_sessions.id,
        listed_sessions.project_id,
        listed_sessions.campus_id,
        listed_sessions.cursus_id,
        listed_sessions.solo,
        listed_sessions.begin_at,
        listed_sessions.end_at,
        listed_sessions.estimate_time,
        listed_sessions.difficulty,
        listed_sessions.objectives,
        listed_sessions.description,
        listed_sessions.duration_days,
        listed_sessions.terminating_after,
        listed_sessions.max_people,
        listed_sessions.is_subscriptable,
        listed_sessions.scales,
        listed_sessions.uploads,
        listed_sessions.team_behaviour,
        listed_sessions.commit,
        listed_sessions.created_at,
        listed_sessions.updated_at
    from listed_sessions
    inner join projects on listed_sessions.project_id = projects.id
    left join campuses on listed_sessions.campus_id = campuses.id
    -- A session without a campus is every campus' own.
    where listed_sessions.campus_id is null or campuses.id is not null
)

select * from kept
