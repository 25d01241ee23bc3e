with teams as (
    select * from {{ ref('stg_fortytwo__teams') }}
),

-- Each member's row has a copy, and they are read at different times: the newest one counts.
resolved as (
    select distinct on (id) *
    from teams
    order by id asc, updated_at desc, closed_at desc nulls last, projects_user_id asc
)

select * from resolved
