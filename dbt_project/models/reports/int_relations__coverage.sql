with users as (
    select * from {{ published('users') }}
),

campuses as (
    select * from {{ published('campuses') }}
),

relation_reads as (
    select * from {{ ref('stg_ops__relation_reads') }}
),

relations as (
    {% for table in var('relations_by_student') %}
        select '{{ table }}' as table_name
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

students as (
    select
        campuses.id as campus_id,
        relations.table_name,
        count(users.id) as students,
        count(relation_reads.user_id) as students_read,
        min(relation_reads.read_at) as oldest_read_at,
        max(relation_reads.read_at) as newest_read_at
    from campuses
    cross join relations
    left join users on campuses.id = users.campus_id
    left join relation_reads
        on users.id = relation_reads.user_id and relations.table_name = relation_reads.table_name
    group by campuses.id, relations.table_name
),

coverage as (
    select
        *,
        students_read >= {{ var('least_share_read') }} * students as is_read
    from students
)

select * from coverage
