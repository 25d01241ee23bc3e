with listed as (
    select * from {{ ref('stg_fortytwo__coalitions_users') }}
),

coalitions as (
    select * from {{ ref('coalitions') }}
),

users as (
    select * from {{ ref('users') }}
),

kept as (
    select
        listed.id,
        listed.coalition_id,
        listed.user_id,
        listed.score,
        listed.rank,
        listed.created_at,
        listed.updated_at
    from listed
    inner join coalitions on listed.coalition_id = coalitions.id
    inner join users on listed.user_id = users.id
)

select * from kept
