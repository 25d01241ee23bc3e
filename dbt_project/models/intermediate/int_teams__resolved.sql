with teams as (
    select * from {{ ref('stg_fortytwo__teams') }}
),

-- Each member's row has a copy, and they are read at different times: the newest one counts.
-- Giving up finishes a team and moves no time: of copies of one age the finished one is newer.
resolved as (
    select distinct on (id) *
    from teams
    order by
        id asc,
        updated_at desc,
        case status when 'finished' then 0 else 1 end asc,
        closed_at desc nulls last,
        projects_user_id asc
)

select * from resolved
