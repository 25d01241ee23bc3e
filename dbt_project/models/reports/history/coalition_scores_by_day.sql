with coalitions_history as (
    select * from {{ ref('coalitions_history') }}
),

coalitions_by_day as (
    {{ versions_by_day('coalitions_history', 3650) }}
),

scores as (
    select
        day,
        id as coalition_id,
        name as coalition_name,
        campus_id,
        score
    from coalitions_by_day
)

select * from scores
