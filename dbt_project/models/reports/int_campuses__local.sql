with campuses as (
    select * from {{ published('campuses') }}
),

local_campuses as (
    select
        campuses.id,
        campuses.name,
        coalesce(known_zones.name, 'UTC') as time_zone
    from campuses
    left join {{ time_zone_names() }} as known_zones on campuses.time_zone = known_zones.name
)

select * from local_campuses
