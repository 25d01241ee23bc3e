with cursus_users as (
    select * from {{ ref('stg_fortytwo__cursus_users') }}
),

accepted_cursus as (
    select id
    from {{ ref('int_cursus__classified') }}
    where rule is null
),

accepted_users as (
    select id
    from {{ ref('int_users__classified') }}
    where rule is null
),

classified as (
    select
        cursus_users.*,
        {{ json_object({'id': 'cursus_users.id'}) }} as key,
        case
            when accepted_cursus.id is null then 'cursus_user_cursus_not_kept'
            when accepted_users.id is null then 'cursus_user_user_not_kept'
        end as rule
    from cursus_users
    left join accepted_cursus on cursus_users.cursus_id = accepted_cursus.id
    left join accepted_users on cursus_users.user_id = accepted_users.id
)

select * from classified
