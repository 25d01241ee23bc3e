with coalitions as (
    select * from {{ published('coalitions') }}
),

coalitions_users as (
    select * from {{ published('coalitions_users') }}
),

campuses as (
    select * from {{ published('campuses') }}
),

relation_reads as (
    select * from {{ ref('stg_ops__relation_reads') }}
    where table_name = 'coalitions_users'
),

coverage as (
    select * from {{ ref('int_relations__coverage') }}
    where table_name = 'coalitions_users'
),

members as (
    select
        coalitions_users.coalition_id,
        count(distinct coalitions_users.user_id) as members,
        sum(coalitions_users.score)::bigint as members_score
    from coalitions_users
    inner join relation_reads on coalitions_users.user_id = relation_reads.user_id
    group by coalitions_users.coalition_id
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
        {{ where_read('coalesce(members.members, 0)') }} as members,
        {{ where_read('coalesce(members.members_score, 0)') }} as members_score,
        coverage.students,
        coverage.students_read,
        {{ where_read('round(members.members_score::numeric / members.members, 1)') }}
            as average_score
    from coalitions
    left join members on coalitions.id = members.coalition_id
    left join campuses on coalitions.campus_id = campuses.id
    left join coverage on campuses.id = coverage.campus_id
    -- Coalitions of another cursus compete for something else; a bloc says which cursus it is.
    where coalitions.cursus_id = {{ anchor_cursus_id() }} or coalitions.cursus_id is null
)

select * from standings
