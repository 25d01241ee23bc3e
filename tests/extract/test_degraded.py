"""What is optional never stops what is essential: a table that fails stays as it was, by name."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from extract.listing.listing import batches
from extract.passes.plan import make_plan
from extract.tables import TABLES
from extract.tables.streams import STREAMS
from tests.extract.commands import ask, calls, control, count, forget_calls, mend, run
from tests.faults.truth import contents

pytestmark = pytest.mark.faults

OPTIONAL = [name for name, table in TABLES.items() if not (table.essential or table.comes_with)]
READ = [name for name in OPTIONAL if STREAMS[TABLES[name].stream].default]
ALWAYS_READ = [
    name for name, table in TABLES.items() if table.essential and table.campuses == "every"
]
CHANGES = {
    "edit_with_updated_at": 20,
    "edit_silently": 10,
    "new_relations": 9,
    "delete_relations": 6,
    "start_quests": 3,
    "validate_quests": 3,
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extract.api.client.LONGEST_BACKOFF", 0.01)


def break_(world: str, table: str, kind: str = "500", **fault: Any) -> None:
    """Have every call on a table's endpoint fail."""
    path = TABLES[table].path.format(cursus=21, campus=1) + r"\?"
    control(world, "faults", {"kind": kind, "path": path, "call": "every", **fault})


def calls_on(world: str, table: str) -> int:
    """Calls on a table's endpoint since they were forgotten."""
    return int(calls(world)["paths"].get(f"/v2{TABLES[table].path}", 0))


def read_again(connection: Connection, table: str) -> None:
    """Have the next backfill read a relation of everybody."""
    ask(connection, "update ops.relation_reads set stale = true where resource = %s", table)


def degraded(connection: Connection) -> dict[str, str]:
    """What the last run left as it was, and why."""
    query = "select degraded from ops.runs order by started_at desc limit 1"
    return ask(connection, query)[0][0] or {}


@pytest.fixture
def filled(filled_world: str, connection: Connection) -> str:
    """Everything was read, then the network lived on and every relation is to be read again."""
    control(filled_world, "advance", CHANGES)
    ask(connection, "update ops.relation_reads set stale = true")
    return filled_world


def test_an_optional_table_that_fails_stays_as_it_was_and_the_rest_is_loaded(
    filled: str, connection: Connection
) -> None:
    said = "status 500"  # the other faults: tests/faults/table.py
    before = contents(connection, "raw")
    break_(filled, "achievements_users")

    result = run("run")

    assert result.exit_code == 0, result.output
    assert "degraded: achievements_users is as it was." in result.output and said in result.output
    after = contents(connection, "raw")
    changed = {name for name in after if after[name] != before[name]}
    assert "achievements_users" not in changed
    assert {"users", "cursus_users", "projects_users"} <= changed
    assert degraded(connection).keys() == {"achievements_users"}
    assert said in degraded(connection)["achievements_users"]
    assert ask(connection, "select status from ops.runs where degraded is not null") == [
        ("loaded",)
    ]
    stale = "select distinct resource from ops.relation_reads where stale"
    assert ask(connection, stale) == [("achievements_users",)]

    mend(filled)
    ask(connection, "update ops.refusals set probed_at = probed_at - interval '25 hours'")
    assert "degraded" not in run("run").output
    assert not degraded(connection) and not ask(connection, stale)
    assert not ask(connection, "select 1 from ops.refusals")


@pytest.mark.parametrize("table", ALWAYS_READ)
def test_an_essential_table_that_fails_stops_a_full_pass(
    table: str, read_world: str, connection: Connection
) -> None:
    before = contents(connection, "raw")
    control(read_world, "advance", CHANGES)
    break_(read_world, table, "denied_403")
    assert run("run").exit_code == 1
    assert contents(connection, "raw") == before


@pytest.mark.parametrize("table", READ)
def test_a_live_pass_does_without_an_optional_table_and_catches_up(
    table: str, filled: str, connection: Connection
) -> None:
    # nobody new: the campus of a new student is in one of these tables
    assert run("run", "--mode", "live").exit_code == 0
    control(filled, "advance", {**CHANGES, "transfer": 3, "seed": 11})
    before = contents(connection, "raw")
    break_(filled, table)

    result = run("run", "--mode", "live")

    assert result.exit_code == 0, result.output
    assert f"degraded: {table} is as it was." in result.output
    after = contents(connection, "raw")
    assert after[table] == before[table] and after["users"] != before["users"]

    mend(filled)
    assert "degraded" not in run("run", "--mode", "live").output
    assert contents(connection, "raw")[table] != before[table]


def test_a_refusal_for_good_is_asked_again_once_a_day(
    read_world: str, connection: Connection
) -> None:
    world = read_world
    break_(world, "coalitions_users", "denied_403")
    assert "may not read it" not in run("run", "--mode", "backfill").output
    forget_calls(world)

    for mode in ("backfill", "live", "full"):
        result = run("run", "--mode", mode)
        assert result.exit_code == 0, result.output
        assert "degraded: coalitions_users is as it was. The API answers 403" in result.output
    assert calls_on(world, "coalitions_users") == 0

    ask(connection, "update ops.refusals set probed_at = probed_at - interval '25 hours'")
    run("run", "--mode", "live")
    run("run", "--mode", "backfill")
    assert calls_on(world, "coalitions_users") == 1

    mend(world)
    ask(connection, "update ops.refusals set probed_at = probed_at - interval '25 hours'")
    assert "degraded" not in run("run", "--mode", "backfill").output
    assert count(connection, "coalitions_users") > 0


def test_what_a_mistyped_address_refused_is_asked_again_at_the_right_one(
    read_world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(connection, "insert into ops.refusals values ('coalitions_users', 404, now(), now())")
    assert "coalitions_users is as it was" in run("run", "--mode", "live").output

    monkeypatch.setenv("FORTYTWO_API_URL", read_world.replace("127.0.0.1", "localhost"))

    assert "as it was" not in run("run", "--mode", "live").output
    assert not ask(connection, "select 1 from ops.refusals")


def test_one_page_that_is_refused_is_no_refusal_of_the_table(
    filled_world: str, connection: Connection
) -> None:
    read_again(connection, "coalitions_users")
    break_(filled_world, "coalitions_users", "denied_403", call=1)
    assert "degraded: coalitions_users" in run("run", "--mode", "backfill").output
    assert not ask(connection, "select 1 from ops.refusals")
    assert "degraded" not in run("run", "--mode", "backfill").output


def test_what_comes_with_a_table_that_fails_fails_with_it(
    read_world: str, connection: Connection
) -> None:
    break_(read_world, "projects_users", "denied_403", call=36)  # when most batches are there
    assert "degraded: projects_users is" in run("run", "--mode", "backfill").output
    registrations = count(connection, "projects_users")
    assert count(connection, "projects_users_teams") == registrations
    assert "degraded" not in run("run", "--mode", "backfill").output
    assert count(connection, "projects_users_teams") > registrations


def test_a_table_that_is_not_read_any_more_degrades_nothing(
    filled_world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_again(connection, "coalitions_users")
    break_(filled_world, "coalitions_users", "denied_403")
    assert "degraded: coalitions_users" in run("run", "--mode", "backfill").output
    monkeypatch.setenv("STREAMS", "essential")
    forget_calls(filled_world)
    for _ in ("the first time", "when a probe is due"):
        assert "degraded" not in run("run", "--mode", "live").output
        ask(connection, "update ops.refusals set probed_at = probed_at - interval '25 hours'")
    assert not degraded(connection) and not calls_on(filled_world, "coalitions_users")


def test_an_application_that_may_read_the_essentials_alone_has_them(
    world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", ",".join(STREAMS))
    for table in OPTIONAL:
        break_(world, table, "denied_403")
    for most, modes in (
        (2, ("full", "backfill")),
        (0, ("live", "full")),
        (1, ("live", "backfill")),
    ):
        if most == 1:
            ask(connection, "update ops.refusals set probed_at = probed_at - interval '25 hours'")
        forget_calls(world)
        for mode in modes:
            result = run("run", "--mode", mode)
            assert result.exit_code == 0, result.output
        asked = {table: calls_on(world, table) for table in OPTIONAL}
        # the first time once more, to see whether it is one page or the table that is refused
        assert max(asked.values()) == most, asked
    assert count(connection, "users") == 312
    assert not any(count(connection, table) for table in OPTIONAL)
    # nobody's sign-ups are asked for where no event is known
    assert degraded(connection).keys() == {
        name for name in OPTIONAL if TABLES[name].parents != "events"
    }


def test_a_plan_does_without_what_the_application_may_not_read(
    read_world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", ",".join(STREAMS))
    for table in OPTIONAL:
        break_(read_world, table, "denied_403")
    forget_calls(read_world)
    said: list[str] = []

    plan = make_plan(report=said.append)

    assert said.count("the API answers 403: the application may not read it") > 1
    assert max(calls_on(read_world, table) for table in OPTIONAL) == 1
    calls = {resource.name: resource.calls for resource in plan.resources}
    assert calls.keys() > set(OPTIONAL) and not any(calls[table] for table in OPTIONAL)

    run("run")
    forget_calls(read_world)
    make_plan()
    assert not calls_on(read_world, "exams")


def stray_rows(connection: Connection, groups: list[list[int]], each: int) -> None:
    """Rows of these students that the API does not list."""
    for number, users in enumerate(groups):
        ask(
            connection,
            "insert into raw.coalitions_users (id, coalition_id, user_id, _dlt_load_id) "
            "select 900000000 + %s * 1000 + i, 1, %s, 'stray' from generate_series(1, %s) as i",
            number,
            users[0],
            each,
        )
    read_again(connection, "coalitions_users")


def students(connection: Connection) -> list[list[int]]:
    """The students in the batches of a backfill."""
    return list(
        batches([user for (user,) in ask(connection, "select id from raw.users order by id desc")])
    )


def test_rows_that_go_from_one_batch_are_held_against_the_whole_table(
    filled_world: str, connection: Connection
) -> None:
    rows, groups = count(connection, "coalitions_users"), students(connection)
    # more than a tenth of the batch's rows, less than a tenth of the table's
    stray_rows(connection, groups[:1], rows // 12)
    assert "degraded" not in run("run", "--mode", "backfill").output
    assert count(connection, "coalitions_users") == rows


def test_rows_that_go_from_many_batches_count_together(
    filled_world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.passes.backfill.MOST_BATCHES_A_LOAD", 1)
    rows, groups = count(connection, "coalitions_users"), students(connection)
    stray_rows(connection, groups[:3], max(21, rows // 20))
    result = run("run", "--mode", "backfill")
    assert result.exit_code == 0, result.output
    assert "degraded: coalitions_users is as it was. The API no longer lists" in result.output
    assert count(connection, "coalitions_users") > rows
    monkeypatch.setenv("ALLOW_DELETES", "1")
    assert "degraded" not in run("run", "--mode", "backfill").output
    assert count(connection, "coalitions_users") == rows
