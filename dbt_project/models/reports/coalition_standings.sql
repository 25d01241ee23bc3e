with coalitions as (
    select * from {{ published('coalitions') }}
),

coalitions_users as (
    select * from {{ published('coalitions_users') }}
),

campuses as (
    select * from {{ published('campuses') }}
),

members as (
    select
        coalition_id,
        count(distinct user_id) as members,
        sum(score)::bigint as members_score
    from coalitions_users
    group by coalition_id
),

standings as (
    select
        coalitions.bloc_id,
        coalitions.campus_id,
        campuses.name as campus_name,
        coalitions.cursus_id,
        -- Coalitions compete within their bloc; without one there is nobody to be ahead of.
        case
            when coalitions.bloc_id is not null
                then rank() over (
                    partition by coalitions.bloc_id order by coalitions.score desc nulls last
                )
        end as place,
        coalitions.id as coalition_id,
        coalitions.name as coalition_name,
        coalitions.score,
        coalesce(members.members, 0) as members,
        coalesce(members.members_score, 0) as members_score
    from coalitions
    left join members on coalitions.id = members.coalition_id
    left join campuses on coalitions.campus_id = campuses.id
)

select * from standings
