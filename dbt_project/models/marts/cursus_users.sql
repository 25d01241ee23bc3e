with listed as (
    select * from {{ ref('stg_fortytwo__cursus_users') }}
),

cursus as (
    select * from {{ ref('cursus') }}
),

users as (
    select * from {{ ref('users') }}
),

kept as (
    select
        listed.id,
        listed.user_id,
        listed.cursus_id,
        listed.begin_at,
        listed.end_at,
        listed.grade,
        listed.level,
        listed.skills,
        listed.has_coalition,
        listed.blackholed_at,
        listed.created_at,
        listed.updated_at
    from listed
    inner join cursus on listed.cursus_id = cursus.id
    inner join users on listed.user_id = users.id
)

select * from kept
