"""Erased people: what of them is taken out of others' rows, and how they are remembered."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from psycopg2.extensions import connection as Connection

from extract.base import database as databases
from extract.base.errors import UsageError
from extract.base.settings import local_directory, working_directory
from extract.load.copy import _refuse_second_copy
from extract.load.record import create_schema
from extract.people import kept_out
from extract.people.copies import leave_out, without_people
from extract.people.erase import erase, find, forget_readings
from extract.tables import TABLES
from tests.extract.commands import ask

USERS = """
create schema raw; create table raw.users (id bigint, login text);
insert into raw.users values (1, 'ann');
"""
ANN = {"id": 1, "login": "ann", "url": "https://x/users/ann"}
BOB = {"id": 2, "login": "bob"}
TEAM = {"id": 1, "name": "Ann's group", "repo_url": "git@x:intra-ann", "repo_uuid": "intra-7-ann"}


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({**TEAM, "users": [ANN, BOB]}, {**dict.fromkeys(TEAM), "id": 1, "users": [BOB]}),
        ([{"team": {"users": [ANN]}}], [{"team": {"users": []}}]),
        ({"corrector": ANN, "correcteds": [BOB]}, {"corrector": None, "correcteds": [BOB]}),
        ({"teams_users": [{"id": 9, "user_id": 1}]}, {"teams_users": []}),
        (ANN, None),
        ({**TEAM, "users": [BOB]}, {**TEAM, "users": [BOB]}),
        ({"id": 1, "name": "not a person"}, {"id": 1, "name": "not a person"}),
        ({"corrector": "invisible", "truant": {}}, {"corrector": "invisible", "truant": {}}),
    ],
)
def test_a_person_goes_wherever_the_api_nests_one(value: Any, left: Any) -> None:
    assert without_people(value, {1}) == left


def test_a_listing_loses_a_persons_rows_and_copies_and_mentions() -> None:
    def rows(table: str, **columns: list[Any]) -> pa.Table:
        schema = TABLES[table].schema()
        count = len(next(iter(columns.values())))
        return pa.table(
            {name: columns.get(name, [None] * count) for name in schema.names}, schema=schema
        )

    team = json.dumps({**TEAM, "users": [ANN, BOB]})
    relation = rows("projects_users", id=[10, 11], user_id=[1, 2], current_team=[team, team])
    left = leave_out(TABLES["projects_users"], relation, {1})
    assert left.column("id").to_pylist() == [11]
    assert "ann" not in str(left.column("current_team")).casefold()
    assert json.loads(left.column("current_team")[0].as_py())["users"] == [BOB]

    coalitions = rows("coalitions", id=[5, 6], user_id=[1, 2])
    left = leave_out(TABLES["coalitions"], coalitions, {1})
    assert left.column("user_id").to_pylist() == [None, 2]


@pytest.fixture
def connection(database: dict[str, str]) -> Iterator[Connection]:
    with databases.session("test") as made:
        create_schema(made)
        yield made


def remembered(connection: Connection) -> set[str]:
    return {person for (person,) in ask(connection, "select person from ops.kept_out")}


@pytest.mark.parametrize("name", ["local", "50% local"])
@pytest.mark.parametrize("copy_at_work", [False, True])
def test_what_killed_commands_left_of_people_is_deleted(
    name: str,
    copy_at_work: bool,
    connection: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORTYTWO_LOCAL", str(tmp_path / name))
    readings = [working_directory("dlt"), local_directory() / "listings"]
    copied = working_directory("dlt-copy")
    for folder in (*readings, copied):
        folder.mkdir(parents=True)
        (folder / "people.csv").touch()
    other = databases.connect("a copy")
    if copy_at_work:
        _refuse_second_copy(other)

    forget_readings(connection)

    other.close()
    there = [folder for folder in (*readings, copied) if folder.exists()]
    shutil.rmtree(copied, ignore_errors=True)
    assert there == ([copied] if copy_at_work else [])


def test_who_is_kept_out_cannot_be_told_without_the_key(connection: Connection) -> None:
    erase(connection, [4242], "on request", "run", keep_out=True)
    (person,) = remembered(connection)
    plain = (f"fortytwo-mirror user {4242}", f"user {4242}", "4242")
    assert person not in {hashlib.sha256(text.encode()).hexdigest() for text in plain}
    assert kept_out.key_file().stat().st_mode & 0o777 == 0o600
    assert 4242 in kept_out.load(connection)
    assert 4243 not in kept_out.load(connection)


def test_without_the_key_nobody_is_let_back_in_unseen(connection: Connection) -> None:
    erase(connection, [4242], "on request", "run", keep_out=True)
    saved = kept_out.read_keys()
    kept_out.key_file().unlink()
    with pytest.raises(UsageError, match="1 people were erased and are to stay out, but the key"):
        kept_out.load(connection)
    kept_out.add_keys(saved)
    assert 4242 in kept_out.load(connection)


def test_hashes_of_before_there_was_a_key_get_one(connection: Connection) -> None:
    old = hashlib.sha256(b"fortytwo-mirror user 4242").hexdigest()
    ask(connection, "insert into ops.kept_out (person, since) values (%s, now())", old)
    assert 4242 in kept_out.load(connection)
    kept_out.give_keys(connection)
    assert old not in remembered(connection)
    assert 4242 in kept_out.load(connection)


def test_who_was_kept_out_can_be_let_back_in(connection: Connection) -> None:
    erase(connection, [1, 2], "on request", "run", keep_out=True)
    assert kept_out.remove(connection, 1)
    assert not kept_out.remove(connection, 1)
    people = kept_out.load(connection)
    assert 1 not in people
    assert 2 in people


def test_readers_of_ops_do_not_see_who_is_kept_out(connection: Connection) -> None:
    may_read = "select has_table_privilege('some_reader', %s, 'select')"
    ask(connection, "create role some_reader nologin")
    try:
        ask(connection, "grant select on all tables in schema ops to some_reader")
        ask(connection, "grant select on ops.kept_out to public")
        create_schema(connection)
        assert ask(connection, may_read, "ops.kept_out") == [(False,)]
        assert ask(connection, may_read, "ops.runs") == [(True,)]
    finally:
        ask(connection, "drop owned by some_reader; drop role some_reader")


def test_erasing_and_keeping_out_happen_together_or_not_at_all(connection: Connection) -> None:
    ask(connection, USERS)
    # fails after the rows are deleted
    ask(connection, "alter table ops.kept_out add constraint never check (false)")
    with pytest.raises(Exception, match="never"):
        erase(connection, [1], "on request", "run", keep_out=True)
    assert ask(connection, "select id from raw.users") == [(1,)]
    assert ask(connection, "select count(*) from ops.erasures") == [(0,)]


def test_counting_changes_nothing(connection: Connection) -> None:
    ask(
        connection,
        """
        create schema raw;
        create table raw.campus (id bigint, name text);
        create table raw.users (id bigint, login text, campus_id bigint);
        insert into raw.campus values (9, 'Lisboa');
        insert into raw.users values (1, 'ann', 9), (2, 'bob', 9);
        """,
    )
    counted = erase(connection, [1], "on request", "run", keep_out=True, only_count=True)
    assert counted == {"raw.users": 1}
    person = find(connection, "ann")
    assert person is not None
    assert (person.id, person.campus) == (1, "Lisboa")
    assert remembered(connection) == set()


def test_the_logs_of_server_and_bare_dbt_forget_who_is_erased(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.people.log_files.ROOT", tmp_path)
    row = "DETAIL:  Failing row contains (1, ann@example.org, ann, null).\n"
    files = ["logs/dbt.log", "logs/dbt.log.1", "logs/of_somebody.log", "elsewhere/dbt.log"]
    files += ["target/run_results.json", "other/run_results.json"]
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"before\n{row}after\n")
    of_nobody = tmp_path / "elsewhere" / "run_results.json"
    of_nobody.write_bytes(b"\xff")
    of_server = [local_directory() / "postgres.log", local_directory() / "postgres.log.1.gz"]
    of_server[0].write_text(row)
    of_server[1].write_bytes(gzip.compress(f"before\n{row}".encode()))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "elsewhere"))
    (tmp_path / "env").write_text(f"DBT_TARGET_PATH={tmp_path / 'other'}\n")
    monkeypatch.setenv("FORTYTWO_ENV_FILE", str(tmp_path / "env"))
    ask(connection, USERS)
    erase(connection, [1], "on request", "run")
    assert of_server[0].read_text() == ""
    assert gzip.decompress(of_server[1].read_bytes()) == b"before\n"
    left = {name: (tmp_path / name).read_text() for name in files if (tmp_path / name).exists()}
    assert left == {
        "logs/dbt.log": "before\nafter\n",
        "logs/dbt.log.1": "before\nafter\n",
        "logs/of_somebody.log": f"before\n{row}after\n",
        "elsewhere/dbt.log": "before\nafter\n",
    }
    assert of_nobody.exists()


def test_the_planners_statistics_forget_who_is_erased(connection: Connection) -> None:
    def sampled() -> str:
        return str(ask(connection, "select s::text from pg_stats as s where schemaname = 'raw'"))

    ask(
        connection,
        """
        create schema raw;
        create table raw.users (id bigint, login text);
        create table raw.projects_users (id bigint, user_id bigint, current_team jsonb);
        insert into raw.users values (1, 'ann'), (2, 'bob'), (3, 'eve');
        insert into raw.projects_users
        select id, 2, '{"users": [{"id": 1, "login": "ann"}]}' from generate_series(1, 9) as id;
        analyze raw.users, raw.projects_users;
        """,
    )
    assert sampled().count("ann") > 1
    erase(connection, [1], "on request", "run")
    assert "ann" not in sampled()
    assert "bob" in sampled()


def test_the_record_of_other_tables_rows_stays_where_their_number_is_a_persons_rows(
    connection: Connection,
) -> None:
    ask(connection, "create schema raw")
    for name in (name for name, table in TABLES.items() if table.person == "user_id"):
        ask(connection, f"create table raw.{name} (id bigint, user_id bigint)")
        ask(connection, f"insert into raw.{name} values (7, 1)")
    ask(
        connection,
        """
        insert into ops.change_sets (changed_at, run_id, table_name, action, keys)
        select now(), 'run', name, 'delete', '[{"id": 7}]'
        from unnest(array['projects', 'projects_users']) as name
        """,
    )
    erase(connection, [1], "on request", "run")
    assert ask(connection, "select table_name, keys from ops.change_sets order by 1") == [
        ("projects", [{"id": 7}]),
        ("projects_users", []),
    ]


def test_a_new_table_is_erased_from_without_a_word_about_it(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ["mirror.users", "mirror.evaluations", "raw.locations"]
    made.append("intermediate.users__differences")  # of a build that published nothing
    monkeypatch.setattr("extract.people.erase.names", lambda: made)
    ask(
        connection,
        """
        create schema raw;
        create schema mirror;
        create table mirror.users (id bigint primary key, login text);
        create table mirror.evaluations (
            id bigint primary key, corrector_id bigint references mirror.users (id),
            feedback jsonb
        );
        create table raw.locations (id bigint, user_id bigint);
        create schema intermediate;
        create table intermediate.users__differences (id bigint, _action text);
        insert into intermediate.users__differences values (1, 'delete');
        insert into mirror.users values (1, 'ann'), (2, 'bob');
        insert into mirror.evaluations values
            (1, 1, null), (2, 2, '{"of": {"id": 1, "login": "ann"}, "said": "Ann!", "n": 1}');
        insert into raw.locations values (1, 1), (2, 2);
        create table mirror.notes_of_a_reader (user_id bigint);
        insert into mirror.notes_of_a_reader values (1);
        """,
    )
    gone = erase(connection, [1], "on request", "run")
    assert gone == {
        "mirror.users": 1,
        "mirror.evaluations": 1,
        "mirror.evaluations, copies": 1,
        "raw.locations": 1,
        "intermediate.users__differences": 1,
    }
    assert ask(connection, "select id, feedback from mirror.evaluations") == [
        (2, {"of": None, "said": None, "n": 1})
    ]
    assert ask(connection, "select user_id from mirror.notes_of_a_reader") == [(1,)]
    assert ask(connection, "select user_id from raw.locations") == [(2,)]
