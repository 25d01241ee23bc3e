"""Streams: what is off costs no call and leaves its tables as they are."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta

import pytest
from psycopg2.extensions import connection as Connection
from typer.testing import CliRunner

from extract.load.raw import Raw
from extract.people.erase import erase
from extract.tables import TABLES
from extract.tables.streams import STREAMS
from ops.cli import app
from tests.end_to_end.oracle import rows
from tests.extract.commands import ask, calls, control, count, run

OPTIONAL = [table for table in TABLES.values() if not table.essential]


def test_of_the_essential_stream_alone_every_table_is_there_and_nothing_else_is_asked(
    world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", "essential")
    for mode in ("full", "backfill", "live"):
        assert run("run", "--mode", mode).exit_code == 0
    # where new students belong is asked for with the students
    asked = {f"/v2{table.path}" for table in OPTIONAL if table.name != "campus_users"}
    assert not asked & calls(world)["paths"].keys()
    assert {table.name: count(connection, table.name) for table in OPTIONAL} == {
        table.name: 0 for table in OPTIONAL
    }


@pytest.mark.slow
def test_a_stream_that_is_switched_on_later_is_filled_and_off_again_it_stays(
    read_world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", "relations")
    assert run("run", "--mode", "backfill").exit_code == 0
    registrations = count(connection, "projects_users")
    assert registrations and not count(connection, "projects_users_teams")

    monkeypatch.setenv("STREAMS", "relations,attempts")
    assert run("run", "--mode", "backfill").exit_code == 0
    assert count(connection, "projects_users_teams") == registrations
    again = run("run", "--mode", "backfill")
    assert "raw is loaded: 0 rows" in again.output

    monkeypatch.setenv("STREAMS", "relations")
    ask(connection, "update ops.relation_reads set stale = true where resource = 'projects_users'")
    assert run("run", "--mode", "backfill").exit_code == 0
    assert count(connection, "projects_users_teams") == registrations

    refused = run("streams", "--drop", "relations", "--confirm", app=app)
    assert refused.exit_code == 2
    assert count(connection, "projects_users") == registrations, refused.output
    asked = CliRunner().invoke(app, ["streams", "--drop", "attempts"])
    assert f"projects_users_teams {registrations:,}" in asked.output
    assert count(connection, "projects_users_teams") == registrations
    dropped = CliRunner().invoke(app, ["streams", "--drop", "attempts", "--confirm"])
    assert "ALLOW_DELETES=1 make build" in dropped.output
    assert count(connection, "projects_users_teams") == 0
    monkeypatch.setenv("STREAMS", "relations,attempts")
    assert run("run", "--mode", "backfill").exit_code == 0
    assert count(connection, "projects_users_teams") == registrations, "what was dropped is read"
    shown = CliRunner().invoke(app, ["streams"], terminal_width=200)
    assert all(name in shown.output for name in STREAMS), shown.output


@pytest.mark.slow
def test_what_came_and_went_while_a_stream_was_off_is_made_up_for_when_it_is_on_again(
    filled_world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = count(connection, "projects_users_teams")

    monkeypatch.setenv("STREAMS", "relations")
    control(filled_world, "advance", {"delete_relations": 30, "form_teams": 5})
    assert run("run", "--mode", "live").exit_code == 0
    ask(connection, "update ops.relation_reads set stale = true where resource = 'projects_users'")
    assert run("run", "--mode", "backfill").exit_code == 0
    assert count(connection, "projects_users_teams") == before

    monkeypatch.setenv("STREAMS", "relations,attempts")
    assert run("run", "--mode", "backfill").exit_code == 0
    for one, other in itertools.permutations(("projects_users", "projects_users_teams")):
        alone = f"select id from raw.{one} where id not in (select id from raw.{other})"
        assert ask(connection, alone) == [], one
    # of those that are off together nothing was read that could lack the other
    monkeypatch.setenv("STREAMS", "essential")
    assert run("run", "--mode", "live").exit_code == 0
    monkeypatch.setenv("STREAMS", "relations,attempts")
    assert "raw is loaded: 0 rows" in run("run", "--mode", "backfill").output


@pytest.mark.slow
def test_a_new_sign_up_comes_with_a_live_pass_and_a_cancelled_one_goes_with_a_full_one(
    agenda_world: str, connection: Connection
) -> None:
    before = count(connection, "events_users")
    control(agenda_world, "advance", {"sign_up": 4})
    live = run("run", "--mode", "live")
    assert count(connection, "events_users") == before + 4, live.output

    done = control(agenda_world, "advance", {"cancel_sign_up": 3, "sign_up": 3})
    gone = done["cancel_sign_up"]["events_users"]
    assert run("run").exit_code == 0
    assert count(connection, "events_users") == before + 4
    assert ask(connection, "select id from raw.events_users where id = any(%s)", gone) == []
    assert "raw is loaded: 0 rows" in run("run", "--mode", "backfill").output


def test_sign_ups_of_who_is_kept_out_have_no_event_read_again_and_again(
    agenda_world: str, connection: Connection
) -> None:
    ((person,),) = ask(connection, "select user_id from raw.events_users order by id limit 1")
    erase(connection, [person], "on request", "run", keep_out=True)
    ask(connection, "update ops.event_reads set checked_at = now() - interval '2 days'")

    assert "raw is loaded: 0 rows" in run("run", "--mode", "backfill").output


def test_an_event_without_an_end_is_never_over(read_world: str, connection: Connection) -> None:
    now = datetime.now(UTC)
    ask(
        connection,
        "insert into raw.events (id, end_at, _dlt_load_id) values (1, null, ''), (2, %s, '')",
        now - timedelta(days=1),
    )

    assert Raw(connection).open_parents(TABLES["events_users"], now) == {1}


def test_the_first_fill_of_evaluations_is_as_large_as_the_network_or_as_what_was_read(
    read_world: str, connection: Connection
) -> None:
    def calls_of_first_fill() -> int:
        said = CliRunner().invoke(app, ["streams"], env={"COLUMNS": "300"}).output
        line = next(line for line in said.splitlines() if line.startswith("evaluations "))
        (calls,) = re.findall(r"about ([\d,]+)", line)
        return int(calls.replace(",", ""))

    ask(
        connection,
        "insert into raw.users select (jsonb_populate_record(u, jsonb_build_object("
        "'id', u.id + 1000000 * n))).* from raw.users as u cross join generate_series(1, 130) n",
    )
    half_a_million = 500_000 / 30
    assert calls_of_first_fill() == pytest.approx(half_a_million, rel=0.2)
    days = Raw(connection).parents(TABLES["scale_teams"])
    read = "insert into ops.day_reads select 'scale_teams', unnest(%s), now(), now()"
    ask(connection, read, days)
    assert calls_of_first_fill() == len(days), "a call to see that a day has none"


def test_the_names_of_a_streams_tables_are_whole_on_a_narrow_terminal(
    read_world: str, connection: Connection
) -> None:
    said = CliRunner().invoke(app, ["streams"], env={"COLUMNS": "80"}).output

    assert [name for name in TABLES if not re.search(rf"\b{name}\b", said)] == []


def test_who_moved_is_followed_while_transfers_are_off(
    read_world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = count(connection, "campus_users")
    monkeypatch.setenv("STREAMS", "milestones")
    change = {"transfer": 3, "new_users": 2, "seed": 5}
    answer = control(read_world, "advance", change)
    people = answer["transfer"]["users"] + answer["new_users"]["users"]

    assert run("run", "--mode", "live").exit_code == 0

    listed = {campus["id"] for campus in rows(read_world, "campus")}
    campuses = {
        row["user_id"]: row["campus_id"] if row["campus_id"] in listed else 0
        for row in rows(read_world, "campus_users")
        if row["is_primary"] and row["user_id"] in people
    }
    known = Raw(connection).campus_of_users()
    assert {user: known[user] for user in people} == campuses
    assert count(connection, "campus_users") == before


@pytest.mark.parametrize(
    ("streams", "said"),
    [("relations,seat", "STREAMS names seat; the streams are"), ("attempts", "name relations too")],
)
def test_a_stream_that_cannot_be_is_wrong_configuration(
    streams: str, said: str, world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", streams)
    result = run("run")
    assert (result.exit_code, said in result.output) == (2, True), result.output
    assert not calls(world)["paths"]
