-- What the views of `reports` say of an invented network of full size, and of a campus that is not read
-- yet (54); made as tables, which is quicker than a build.
create schema mirror;
create schema reports;
create table mirror.campuses as
select id::bigint, 'Campus ' || id as name from generate_series(1, 54) as id;

create table reports.students_by_level as
select campuses.id as campus_id, name as campus_name, level, 900 / (level + 1) + campuses.id as students,
    800 / (level + 1) as active_students
from mirror.campuses cross join generate_series(0, 21) as level;

create table reports.students_by_status as
select id as campus_id, name as campus_name, 700 as students, 500 + id as enrolled, 400 as active,
    390 as enrolled_active, 120 as past_due, 80 as past_due_active, 60 as blackholed, 90 as ended
from mirror.campuses;

create table reports.blackhole_outlook as
select n as user_id, 'login' || n as login, 'Somebody ' || n as usual_full_name,
    1 + n % 54 as campus_id, 1 + n % 13 as days_left
from generate_series(1, 600) as n;

create table reports.coalition_standings as
select campuses.id as campus_id, name as campus_name, 1 + n as place,
    case n when 0 then '=Formula, "quoted"' else 'Coalition ' || campuses.id || '.' || n end
        as coalition_name,
    100000 - 1000 * n - campuses.id as score, 150 as members, 12.5 as average_score
from mirror.campuses cross join generate_series(0, 3) as n;

create table reports.project_outcomes as
select project as project_id, 'Project of some length ' || project as project_name,
    campuses.id as campus_id,
    case when campuses.id < 54 then (10 + project % 90)::bigint end as marked,
    case when campuses.id < 54 then (5 + project % 90)::bigint end as validated,
    case when campuses.id < 54 then (project % 90)::bigint end as validated_first_try,
    100.5 as average_mark_validated, 12.5 as median_days_validated
from mirror.campuses cross join generate_series(1, 388) as project;

create table reports.achievement_rarity as
select achievement as achievement_id, 'Achievement ' || achievement as achievement_name,
    'project' as kind, campuses.id as campus_id,
    case when campuses.id < 54 then (1 + achievement % 300)::bigint end as holders,
    700::bigint as students_read
from mirror.campuses cross join generate_series(1, 102) as achievement;

create table reports.activity_by_hour as
select id as campus_id, weekday, hour, weekday * hour as projects_started,
    case when id < 54 then weekday + hour + id end as projects_marked, 3 as achievements_earned
from mirror.campuses cross join generate_series(1, 7) as weekday cross join generate_series(0, 23) as hour;

create table reports.coverage as
select id as campus_id, name as campus_name, table_name, 700::bigint as students,
    case when id < 54 then 690::bigint else 7 end as students_read,
    now() - interval '9 days' as oldest_read_at, now() as newest_read_at
from mirror.campuses
cross join unnest(
    array['achievements_users', 'coalitions_users', 'locations', 'projects_users', 'quests_users']
) as table_name;

create table reports.upcoming_agenda as
select
    campuses.id as campus_id, name as campus_name, 'events' as table_name, n as id,
    'Event of some length ' || n as name, 'workshop' as kind, 'Cluster ' || n as location,
    now() + make_interval(days => n % 14) as begin_at,
    now() + make_interval(days => n % 14, hours => 2) as end_at, 40 as max_people,
    case when n % 5 > 0 then n % 30 end as students_signed_up
from mirror.campuses cross join generate_series(1, 12) as n
where campuses.id < 54;

create table reports.working_time as
select project as project_id, 'Project of some length ' || project as project_name,
    campuses.id as campus_id, (10 + project)::bigint as teams, 4.5 + project as median_days
from mirror.campuses cross join generate_series(1, 40) as project;

create table reports.milestones_by_month as
select rank as quest_id, 'Common Core Rank 0' || rank as quest_name, rank as position,
    campuses.id as campus_id, (date_trunc('month', now()) - make_interval(months => months))::date as month,
    (20 - rank)::bigint as reached_by,
    -- of campus 53 nobody's enrolment is known
    case when campuses.id <> 53 then 90.5 * rank end as median_days
from mirror.campuses cross join generate_series(1, 6) as rank cross join generate_series(0, 11) as months;

create table reports.evaluations_by_week as
select n as user_id, 1 + n % 54 as campus_id,
    (date_trunc('week', now()) - make_interval(weeks => n % 13))::date as week,
    1 + n % 7 as given, n % 5 as received, n % 2 as missed
from generate_series(1, 5000) as n;

create table reports.cluster_occupancy as
select id as campus_id, name as campus_name, cluster, 20 + id as people, 20 as computers_in_use,
    90 as computers, 0.222 as share_in_use
from mirror.campuses cross join unnest(array['c1', 'c2', null]) as cluster;

create table reports.logtime_by_week as
select user_id, campus_id, week, 60 * (1 + user_id % 40) as minutes from reports.evaluations_by_week;

create table reports.last_seen as
select n as user_id, 1 + n % 54 as campus_id, n % 5 = 0 as is_seated,
    case when n % 5 < 4 then now() - make_interval(hours => n) end as seen_at
from generate_series(1, 2000) as n;
