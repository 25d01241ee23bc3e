with projects_users as (
    select * from {{ published('projects_users') }}
),

achievements_users as (
    select * from {{ published('achievements_users') }}
),

users as (
    select * from {{ published('users') }}
),

campuses as (
    select * from {{ ref('int_campuses__local') }}
),

relation_reads as (
    select * from {{ ref('stg_ops__relation_reads') }}
),

coverage as (
    select * from {{ ref('int_relations__coverage') }}
),

events as (
    {% for table_name, event, moment in [
        ('projects_users', 'project started', 'created_at'),
        ('projects_users', 'project marked', 'marked_at'),
        ('achievements_users', 'achievement earned', 'created_at'),
    ] %}
        select
            user_id,
            '{{ table_name }}' as table_name,
            '{{ event }}' as event,
            {{ moment }} as happened_at
        from {{ table_name }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- Twelve whole weeks, so that no weekday counts more often than another.
local_events as (
    select
        campuses.id as campus_id,
        campuses.name as campus_name,
        events.event,
        events.happened_at at time zone campuses.time_zone as local_time
    from events
    inner join users on events.user_id = users.id
    inner join relation_reads
        on events.user_id = relation_reads.user_id and events.table_name = relation_reads.table_name
    inner join campuses on users.campus_id = campuses.id
    where events.happened_at > now() - interval '84 days' and events.happened_at <= now()
),

activity as (
    select
        campus_id,
        campus_name,
        extract(isodow from local_time)::bigint as weekday,
        extract(hour from local_time)::bigint as hour,
        count(*) filter (where event = 'project started') as projects_started,
        count(*) filter (where event = 'project marked') as projects_marked,
        count(*) filter (where event = 'achievement earned') as achievements_earned
    from local_events
    group by
        campus_id, campus_name, extract(isodow from local_time), extract(hour from local_time)
),

activity_of_read as (
    select
        activity.campus_id,
        activity.campus_name,
        activity.weekday,
        activity.hour,
        {{ where_read('activity.projects_started', 'projects') }} as projects_started,
        {{ where_read('activity.projects_marked', 'projects') }} as projects_marked,
        {{ where_read('activity.achievements_earned', 'achievements') }} as achievements_earned,
        projects.students,
        projects.students_read as projects_students_read,
        achievements.students_read as achievements_students_read
    from activity
    inner join coverage as projects
        on activity.campus_id = projects.campus_id and projects.table_name = 'projects_users'
    inner join coverage as achievements
        on
            activity.campus_id = achievements.campus_id
            and achievements.table_name = 'achievements_users'
)

select * from activity_of_read
