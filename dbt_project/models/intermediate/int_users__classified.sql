with users as (
    select * from {{ ref('stg_fortytwo__users') }}
),

campuses as (
    select
        id,
        rule
    from {{ ref('int_campuses__classified') }}
),

classified as (
    select
        users.id,
        {{ json_object({'id': 'users.id'}) }} as key,
        -- "In the cursus" needs no rule: only the cursus' own user list is ever read. A flag the
        -- API leaves null is not set, so a null `alumni` is no alumnus.
        case
            when coalesce(users.kind, '') <> '{{ var("student_kind") }}' then 'user_not_student'
            when users.alumni then 'user_alumni'
            -- 0, or a campus that the API does not list
            when campuses.id is null then 'user_campus_not_listed'
            when campuses.rule is not null then 'user_campus_not_kept'
        end as rule
    from users
    left join campuses on users.campus_id = campuses.id
)

select * from classified
