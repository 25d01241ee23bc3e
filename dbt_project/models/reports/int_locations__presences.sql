with sessions as (
    select * from {{ ref('int_locations__sessions') }}
    -- The API marks those that are no presence; one without the mark is a presence.
    where is_primary is not false and until > begin_at
),

-- A presence begins where no session before it lasts until then.
marked as (
    select
        user_id,
        begin_at,
        until,
        case
            when begin_at <= max(until) over (
                partition by user_id order by begin_at, until
                rows between unbounded preceding and 1 preceding
            ) then 0
            else 1
        end as begins
    from sessions
),

numbered as (
    select
        user_id,
        begin_at,
        until,
        sum(begins) over (
            partition by user_id order by begin_at, until
            rows between unbounded preceding and current row
        ) as number
    from marked
),

presences as (
    select
        user_id,
        min(begin_at) as begin_at,
        max(until) as until
    from numbered
    group by user_id, number
)

select * from presences
