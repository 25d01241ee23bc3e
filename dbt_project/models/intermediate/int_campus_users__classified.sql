with campus_users as (
    select * from {{ ref('stg_fortytwo__campus_users') }}
),

accepted_campuses as (
    select id
    from {{ ref('int_campuses__classified') }}
    where rule is null
),

accepted_users as (
    select id
    from {{ ref('int_users__classified') }}
    where rule is null
),

classified as (
    select
        campus_users.*,
        {{ json_object({'id': 'campus_users.id'}) }} as key,
        case
            when accepted_campuses.id is null then 'campus_user_campus_not_kept'
            when accepted_users.id is null then 'campus_user_user_not_kept'
        end as rule
    from campus_users
    left join accepted_campuses on campus_users.campus_id = accepted_campuses.id
    left join accepted_users on campus_users.user_id = accepted_users.id
)

select * from classified
