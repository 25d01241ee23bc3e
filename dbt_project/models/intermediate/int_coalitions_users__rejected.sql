with coalitions_users as (
    select * from {{ ref('stg_fortytwo__coalitions_users') }}
),

coalitions as (
    select * from {{ ref('stg_fortytwo__coalitions') }}
),

kept_users as (
    select * from {{ ref('int_users__students') }}
),

rejected as (
    select
        {{ json_object({'id': 'coalitions_users.id'}) }} as key,
        case
            when coalitions.id is null then 'coalitions_user_coalition_gone'
            else 'coalitions_user_user_not_kept'
        end as rule
    from coalitions_users
    left join coalitions on coalitions_users.coalition_id = coalitions.id
    left join kept_users on coalitions_users.user_id = kept_users.id
    where coalitions.id is null or kept_users.id is null
)

select * from rejected
