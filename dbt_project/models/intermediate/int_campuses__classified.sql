with campuses as (
    select * from {{ ref('stg_fortytwo__campuses') }}
),

classified as (
    select
        id,
        {{ json_object({'id': 'id'}) }} as key,
        -- A flag the API leaves null is not set; the first rule that applies is the one recorded.
        case
            when active is not true then 'campus_inactive'
            when public is not true then 'campus_private'
            when coalesce(users_count, 0) < {{ var('min_campus_users') }} then 'campus_too_small'
        end as rule
    from campuses
)

select * from classified
