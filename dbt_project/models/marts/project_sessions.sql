with classified as (
    select * from {{ ref('int_project_sessions__classified') }}
),

accepted as (
    select
        id,
        project_id,
        campus_id,
        cursus_id,
        solo,
        begin_at,
        end_at,
        estimate_time,
        difficulty,
        objectives,
        description,
        duration_days,
        terminating_after,
        max_people,
        is_subscriptable,
        scales,
        uploads,
        team_behaviour,
        commit,
        created_at,
        updated_at
    from classified
    where rule is null
)

select * from accepted
