/*
What it checks: each user has an enrolment in the cursus whose user list named them (rule 7).
When it matters: without it the student has no level, grade or blackhole. It warns only, for the
user list is the API's own word on who is in the cursus.
How to resolve: the next full pass reads the enrolments again; if it stays, the API contradicts
itself about that user.
*/
{{ config(severity='warn') }}

with users as (
    select * from {{ ref('users') }}
),

cursus_users as (
    select * from {{ ref('cursus_users') }}
),

not_enrolled as (
    select users.id
    from users
    left join cursus_users on users.id = cursus_users.user_id
    where cursus_users.user_id is null
)

select * from not_enrolled
