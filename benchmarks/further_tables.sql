-- What the other streams would have read of the people and projects that are there, with 2.6 million
-- relations: 1.7 million teams, a million locations, half a million evaluations.
create temporary table students as
select
    id,
    campus_id,
    row_number() over (order by id) as number
from raw.users;
create temporary table works as
select
    id,
    row_number() over (order by id) as number
from raw.projects;

insert into raw.projects_users_teams (id, user_id, teams, _dlt_load_id)
select
    id,
    user_id,
    jsonb_build_array(
        jsonb_build_object(
            'id', current_team_id, 'project_id', project_id, 'status', 'finished',
            'final_mark', 100, 'validated?', true, 'locked?', true, 'closed?', true,
            'locked_at', '2024-01-02T08:00:00Z', 'closed_at', '2024-04-28T08:00:00Z',
            'created_at', '2024-01-01T08:00:00Z', 'updated_at', '2024-05-01T08:00:00Z',
            'users', jsonb_build_array(
                jsonb_build_object(
                    'user_id', user_id, 'projects_user_id', id, 'leader', true,
                    'validated', true, 'occurrence', 0
                )
            )
        )
    ),
    '1'
from raw.projects_users;

insert into raw.campus_users (
    id, user_id, campus_id, is_primary, created_at, updated_at, _dlt_load_id
)
select
    id,
    id,
    campus_id,
    true,
    '2024-01-01',
    '2024-01-01',
    '1'
from students;

insert into raw.quests_users (
    id, user_id, quest_id, validated_at, prct, created_at, updated_at, quest, _dlt_load_id
)
select
    students.number * 5 + n,
    students.id,
    n,
    '2024-03-01',
    100,
    '2024-01-01',
    '2024-05-01',
    jsonb_build_object(
        'id', n, 'name', 'Rank ' || n, 'slug', 'rank-' || n, 'kind', 'main', 'cursus_id', 21,
        'internal_name', 'rank_' || n, 'position', n, 'created_at', '2020-01-01T08:00:00Z',
        'updated_at', '2020-01-01T08:00:00Z'
    ),
    '1'
from students
cross join generate_series(1, 5) as n;

insert into raw.locations (
    id, user_id, campus_id, begin_at, end_at, is_primary, host, _dlt_load_id
)
select
    students.number * 25 + n,
    students.id,
    students.campus_id,
    now() - make_interval(hours => 84 * n::integer),
    now() - make_interval(hours => 84 * n::integer - 5),
    true,
    format('c%sr%ss%s', 1 + n % 3, 1 + students.number % 12, 1 + students.number % 20),
    '1'
from students
cross join generate_series(1, 25) as n;

insert into raw.scale_teams (
    id, scale_id, team_id, project_id, final_mark, people, corrector_hidden, corrected_hidden,
    begin_at, filled_at, begin_day, created_at, updated_at, _dlt_load_id
)
select
    one.number * 13 + n,
    1,
    one.number * 43 + n,
    works.id,
    100,
    jsonb_build_array(
        jsonb_build_object('role', 'corrected', 'user_id', one.id),
        jsonb_build_object('role', 'corrector', 'user_id', other.id)
    ),
    false,
    false,
    now() - make_interval(days => 28 * n::integer),
    now() - make_interval(days => 28 * n::integer),
    current_date - date '1970-01-01' - 28 * n,
    now() - make_interval(days => 29 * n::integer),
    now() - make_interval(days => 28 * n::integer),
    '1'
from students as one
inner join students as other
    on other.number = 1 + one.number % (select max(number) from students)
cross join generate_series(1, 13) as n
inner join works on works.number = 1 + (one.number * 7 + n) % 500;

insert into raw.events (
    id, name, kind, begin_at, end_at, campus_ids, cursus_ids, created_at, updated_at, _dlt_load_id
)
select
    campus.id * 100 + n,
    'Event',
    'event',
    now() - make_interval(days => n::integer),
    now() - make_interval(days => n::integer, hours => -2),
    jsonb_build_array(campus.id),
    '[21]',
    '2024-01-01',
    '2024-05-01',
    '1'
from raw.campus
cross join generate_series(1, 40) as n;

insert into raw.events_users (id, event_id, user_id, _dlt_load_id)
select
    events.id * 50 + n,
    events.id,
    students.id,
    '1'
from raw.events
cross join generate_series(1, 25) as n
inner join students
    on students.number = 1 + (events.id * 31 + n) % (select max(number) from students);

insert into raw.exams (
    id, campus_id, name, begin_at, end_at, cursus, projects, created_at, updated_at, _dlt_load_id
)
select
    campus.id * 100 + n,
    campus.id,
    'Exam',
    now() - make_interval(days => n::integer),
    now() - make_interval(days => n::integer, hours => -4),
    '[{"id": 21}]',
    jsonb_build_array(jsonb_build_object('id', works.id)),
    '2024-01-01',
    '2024-05-01',
    '1'
from raw.campus
cross join generate_series(1, 12) as n
inner join works on works.number = 1 + (campus.id * 7 + n) % 500;

analyze raw.projects_users_teams;
analyze raw.campus_users;
analyze raw.quests_users;
analyze raw.locations;
analyze raw.scale_teams;
analyze raw.events;
analyze raw.events_users;
analyze raw.exams;
