"""A small invented network in schema raw, made by SQL: quick to fill and to change."""

from __future__ import annotations

from psycopg2.extensions import connection as Connection

from extract.tables import TABLES, Table

# Of a published table that FILL leaves empty: rows that the rules accept.
PLAIN_VALUES = {
    "bigint": "number",
    "text": "'Text ' || number",
    "bool": "true",
    "double": "number",
    "timestamp": "timestamptz '2024-01-01'",
    "json": "jsonb '[]'",
}
SQL_TYPES = {
    "bigint": "bigint",
    "text": "text",
    "bool": "boolean",
    "double": "double precision",
    "timestamp": "timestamptz",
    "json": "jsonb",
}

# Campuses 1 to 4 are kept; 5 is inactive, 6 too small. Projects 1 to 27 are in the cursus, 28 to
# 30 in another. Coalitions 1 to 8 exist, 9 is gone but still has members.
FILL = """
insert into raw.cursus (id, created_at, name, slug, kind)
values
    (21, '2020-01-01', '42cursus', '42cursus', 'main'),
    (9, '2020-01-01', 'Piscine', 'c', 'piscine');

insert into raw.campus (id, name, time_zone, users_count, country, city, active, public)
select
    number, 'Campus ' || number, 'Europe/Paris', case number when 6 then 2 else 1000 end, 'France',
    'City ' || number, number <> 5, true
from generate_series(1, 6) as number;

insert into raw.projects (
    id, name, slug, difficulty, exam, cursus, campus, project_sessions, created_at, updated_at
)
select
    number, 'Project ' || number, 'project-' || number, 0, number % 10 = 0,
    jsonb_build_array(jsonb_build_object('id', case when number > 27 then 9 else 21 end)),
    (
        select jsonb_agg(jsonb_build_object('id', campus, 'name', 'Campus ' || campus))
        from generate_series(1, 5) as campus where (campus + number) % 4 <> 0
    ),
    jsonb_build_array(
        jsonb_build_object(
            'id', number * 10, 'project_id', number, 'campus_id', null, 'cursus_id', 21
        ),
        jsonb_build_object(
            'id', number * 10 + 1, 'project_id', number, 'campus_id', 1 + number % 5,
            'cursus_id', 21
        )
    ),
    '2020-01-01', '2024-01-01'
from generate_series(1, 30) as number;

insert into raw.achievements (id, name, description, tier, kind, visible, nbr_of_success, campus)
select
    number, 'Achievement ' || number, 'Do it ' || number || ' times.', 'none', 'project', true,
    number,
    jsonb_build_array('Campus ' || 1 + number % 5, 'Campus 1')
from generate_series(1, 40) as number;

-- named by the achievement itself already
insert into raw.campus_achievements (campus_id, achievement_id) values (1, 1);

insert into raw.coalitions (id, name, slug, color, score, user_id)
select number, 'Coalition ' || number, 'coalition-' || number, '#00babc', 0, null
from generate_series(1, 8) as number;

insert into raw.blocs (id, campus_id, cursus_id, squad_size, coalitions, created_at, updated_at)
select
    campus, campus, 21, 0,
    jsonb_build_array(jsonb_build_object('id', campus), jsonb_build_object('id', campus + 4)),
    '2020-01-01', '2024-01-01'
from generate_series(1, 4) as campus;

insert into raw.users (
    id, email, login, first_name, last_name, displayname, kind, image, staff, correction_point,
    pool_month, pool_year, wallet, created_at, updated_at, alumni, active, campus_id
)
select
    number, 'login' || number || '@student.example', 'login' || number, 'First ' || number,
    'Last ' || number, 'First Last ' || number, 'student', '{"link": null}', false, number % 9,
    'july', '2023', 0, '2023-07-01', '2024-01-01', false, true, 1 + number % 5
from generate_series(1, :users) as number;

insert into raw.cursus_users (
    id, user_id, cursus_id, begin_at, grade, level, skills, has_coalition, created_at, updated_at
)
select number, number, 21, '2023-09-01', 'Learner', 1.5, '[]', true, '2023-09-01', '2024-01-01'
from generate_series(1, :users) as number;

insert into raw.projects_users (
    id, user_id, project_id, occurrence, final_mark, status, validated, cursus_ids, marked,
    created_at, updated_at
)
select
    number, 1 + number % :users, 1 + number % 29, 0, 100, 'finished', true, '[21]', true,
    '2023-10-01', '2024-01-01'
from generate_series(1, :users * 4) as number;

insert into raw.achievements_users (
    id, achievement_id, user_id, nbr_of_success, url, created_at, updated_at
)
select number, 1 + number % 40, 1 + number % :users, 1, null, '2023-10-01', '2024-01-01'
from generate_series(1, :users * 2) as number;

insert into raw.coalitions_users (
    id, coalition_id, user_id, score, rank, created_at, updated_at
)
select number, 1 + number % 9, number, 0, number, '2023-10-01', '2024-01-01'
from generate_series(1, :users) as number;

insert into raw.projects_users_teams (id, user_id, teams)
select
    id, user_id, jsonb_build_array(jsonb_build_object(
        'id', id, 'project_id', project_id, 'status', 'finished',
        'updated_at', '2024-01-01T00:00:00Z',
        'users', jsonb_build_array(jsonb_build_object('user_id', user_id, 'leader', true))
    ))
from raw.projects_users;

insert into raw.campus_users (id, user_id, campus_id, is_primary, created_at, updated_at)
select id, id, campus_id, true, '2023-07-01', '2024-01-01' from raw.users;

insert into raw.quests_users (
    id, user_id, quest_id, validated_at, prct, created_at, updated_at, quest
)
select
    id, id, 44, '2024-01-01', 100, '2023-10-01', '2024-01-01', '{
        "id": 44, "slug": "common-core-rank-00", "cursus_id": 21,
        "updated_at": "2024-01-01T00:00:00Z"
    }'
from raw.users;
insert into raw.events (
    id, name, kind, location, begin_at, end_at, max_people, nbr_subscribers, campus_ids, cursus_ids,
    themes, created_at, updated_at
)
select
    number, 'Event ' || number, 'meet', 'Cluster ' || number % 3,
    now() + make_interval(days => number - 20), now() + make_interval(days => number - 18),
    nullif(number % 5, 0) * 10, 3, jsonb_build_array(1 + number % 6, 1 + number % 2),
    case number % 7 when 0 then '[9]' when 1 then '[]' else '[9, 21]' end::jsonb, '[]',
    '2024-01-01', '2024-01-01'
from generate_series(1, 60) as number;

insert into raw.events_users (id, event_id, user_id)
select number, 1 + number % 61, 1 + number % (:users + 1)
from generate_series(1, 300) as number;

insert into raw.exams (
    id, campus_id, name, location, begin_at, end_at, max_people, nbr_subscribers, cursus, projects,
    created_at, updated_at
)
select
    number, 1 + number % 6, 'Exam ' || number, 'Cluster 1',
    now() + make_interval(days => number - 10),
    now() + make_interval(days => number - 10, hours => 4), 80, 7,
    case number % 5 when 0 then '[{"id": 9}]' when 1 then '[]' else '[{"id": 21}]' end::jsonb,
    jsonb_build_array(jsonb_build_object('id', 1 + number % 30)), '2024-01-01', '2024-01-01'
from generate_series(1, 30) as number;

insert into raw.locations (id, user_id, campus_id, host, is_primary, begin_at, end_at)
select
    id, id, campus_id, 'c' || id % 3 || 'r1s' || id % 12, id % 7 > 0, '2024-01-01 09:00+00',
    case when id % 5 > 0 then timestamptz '2024-01-01 12:00+00' end
from raw.users;

insert into raw.scale_teams
    (id, scale_id, project_id, final_mark, people, flag, corrector_hidden, corrected_hidden,
    begin_at, begin_day, created_at, updated_at)
select
    id, 3, 1 + id % 30, case when id % 4 > 0 then 100 end,
    jsonb_build_array(jsonb_build_object('user_id', id, 'role', 'corrected')),
    jsonb_build_object('id', 1, 'name', 'Ok', 'positive', true), false, id % 4 = 0,
    '2024-01-01 09:00+00', 19723, '2024-01-01', '2024-01-01'
from raw.users;

insert into raw._dlt_loads values ('1', 'fortytwo', 0, now(), 'hash');
"""


def create_raw(connection: Connection, users: int = 400) -> None:
    """Create schema raw as the extraction would, and fill it."""
    with connection.cursor() as cursor:
        cursor.execute("create schema raw")
        for contract in TABLES.values():
            cursor.execute(table(contract))
        cursor.execute(
            "create table raw._dlt_loads (load_id text, schema_name text, status bigint, "
            "inserted_at timestamptz, schema_version_hash text)"
        )
        cursor.execute(FILL.replace(":users", str(users)))
        for contract in TABLES.values():
            if contract.mirror:
                cursor.execute(_plain_rows(contract))


def _plain_rows(contract: Table) -> str:
    columns = ", ".join(f'"{c.name}"' for c in contract.loaded)
    values = ", ".join(PLAIN_VALUES[c.data_type] for c in contract.loaded)
    return (
        f"insert into raw.{contract.name} ({columns}) select {values} "
        f"from generate_series(1, 9) as number where not exists (select from raw.{contract.name})"
    )


def table(contract: Table) -> str:
    """The statement that makes a table of `raw`."""
    columns = "".join(f'"{c.name}" {SQL_TYPES[c.data_type]}, ' for c in contract.loaded)
    return (
        f"create table raw.{contract.name} ({columns}unknown_fields jsonb, _dlt_load_id text, "
        f"primary key ({', '.join(contract.primary_key)}))"
    )
