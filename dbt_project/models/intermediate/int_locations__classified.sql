with locations as (
    select * from {{ ref('stg_fortytwo__locations') }}
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
        locations.*,
        {{ json_object({'id': 'locations.id'}) }} as key,
        case
            when accepted_campuses.id is null then 'location_campus_not_kept'
            when accepted_users.id is null then 'location_user_not_kept'
        end as rule
    from locations
    left join accepted_campuses on locations.campus_id = accepted_campuses.id
    left join accepted_users on locations.user_id = accepted_users.id
)

select * from classified
