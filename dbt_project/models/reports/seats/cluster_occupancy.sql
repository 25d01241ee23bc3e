with sessions as (
    select * from {{ ref('int_locations__sessions') }}
),

campuses as (
    select * from {{ published('campuses') }}
),

coverage as (
    select * from {{ ref('int_relations__coverage') }}
    where table_name = 'locations'
),

-- c1r2s3 stands in the cluster c1; what has no such name (a laptop) stands in none.
seats as (
    select
        campus_id,
        user_id,
        host,
        is_open,
        case
            when host ~ '^.+r[0-9]+[a-z]+[0-9]+$'
                then regexp_replace(host, '^(.+)r[0-9]+[a-z]+[0-9]+$', '\1')
        end as cluster
    from sessions
),

clusters as (
    select
        campus_id,
        cluster,
        count(distinct case when is_open then user_id end) as people,
        count(distinct case when is_open then host end) as computers_in_use,
        count(distinct host) as computers
    from seats
    group by campus_id, cluster
),

occupancy as (
    select
        clusters.campus_id,
        campuses.name as campus_name,
        clusters.cluster,
        clusters.people,
        clusters.computers_in_use,
        {{ where_read('clusters.computers') }} as computers,
        {{ where_read(share('clusters.computers_in_use', 'clusters.computers')) }} as share_in_use,
        coverage.students,
        coverage.students_read
    from clusters
    inner join campuses on clusters.campus_id = campuses.id
    inner join coverage on clusters.campus_id = coverage.campus_id
)

select * from occupancy
