with coalitions_users as (
    select * from {{ ref('stg_fortytwo__coalitions_users') }}
),

accepted_coalitions as (
    select id
    from {{ ref('int_coalitions__classified') }}
    where rule is null
),

accepted_users as (
    select id
    from {{ ref('int_users__classified') }}
    where rule is null
),

classified as (
    select
        coalitions_users.*,
        {{ json_object({'id': 'coalitions_users.id'}) }} as key,
        case
            when accepted_coalitions.id is null then 'coalitions_user_coalition_gone'
            when accepted_users.id is null then 'coalitions_user_user_not_kept'
        end as rule
    from coalitions_users
    left join accepted_coalitions on coalitions_users.coalition_id = accepted_coalitions.id
    left join accepted_users on coalitions_users.user_id = accepted_users.id
)

select * from classified
