/*
What it checks: the database knows the time zone of each campus.
When it matters: reports by local hour fall back to UTC for a campus with an unknown time zone.
How to resolve: usually the campus' own typing mistake, to be corrected in the intranet.
*/
{{ config(severity='warn') }}

with campuses as (
    select * from {{ ref('campuses') }}
),

unknown_zones as (
    select
        campuses.id,
        campuses.time_zone
    from campuses
    left join {{ time_zone_names() }} as known_zones on campuses.time_zone = known_zones.name
    where campuses.time_zone is not null and known_zones.name is null
)

select * from unknown_zones
