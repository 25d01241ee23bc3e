with cursus_users as (
    select * from {{ ref('stg_fortytwo__cursus_users') }}
),

kept_cursus as (
    select * from {{ ref('int_cursus__anchor') }}
),

kept_users as (
    select * from {{ ref('int_users__students') }}
),

rejected as (
    select
        {{ json_object({'id': 'cursus_users.id'}) }} as key,
        case
            when kept_cursus.id is null then 'cursus_user_cursus_not_kept'
            else 'cursus_user_user_not_kept'
        end as rule
    from cursus_users
    left join kept_cursus on cursus_users.cursus_id = kept_cursus.id
    left join kept_users on cursus_users.user_id = kept_users.id
    where kept_cursus.id is null or kept_users.id is null
)

select * from rejected
