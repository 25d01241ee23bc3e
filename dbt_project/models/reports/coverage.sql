with relations as (
    select * from {{ ref('int_relations__coverage') }}
),

campuses as (
    select * from {{ published('campuses') }}
),

coverage as (
    select
        relations.campus_id,
        campuses.name as campus_name,
        relations.table_name,
        relations.students,
        relations.students_read,
        {{ share('relations.students_read', 'relations.students') }} as share_read,
        {{ var('least_share_read') }} as least_share_read,
        relations.is_read,
        relations.oldest_read_at,
        relations.newest_read_at
    from relations
    inner join campuses on relations.campus_id = campuses.id
)

select * from coverage
