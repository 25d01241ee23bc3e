"""What a full pass may delete, and where the window of each live pass begins."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from psycopg2.extensions import connection as Connection

from extract.tables import TABLES, Table
from extract.tables.streams import STREAMS
from tests.end_to_end.oracle import rows
from tests.extract.commands import age_listings, ask, control, mend, refuse_updates, run
from tests.faults.truth import Truth, differences

pytestmark = pytest.mark.slow  # several passes each

LIVE = [
    table
    for table in TABLES.values()
    if "updated_at" in table.ranges and STREAMS[table.stream].default
]
# open rows that vanish are asked for by id, and go with any pass
FULL = [table for table in TABLES.values() if table.full and not table.open_rows]
ELSEWHERE, NOBODY = 998, 987_654_321  # no campus, no person, no row has these numbers
EDITS = {"edit_with_updated_at": 40, "new_relations": 12}


def add_stray(connection: Connection, table: Table) -> None:
    """A row that the API does not list, of a person and a campus that it no longer lists."""
    rows = ask(connection, f"select to_jsonb(t) from raw.{table.name} as t limit 1")
    row = {**(rows[0][0] if rows else {}), "_dlt_load_id": "stray"}
    row |= dict.fromkeys(table.primary_key, NOBODY)
    row[table.scope] = ELSEWHERE if table.scope == "campus_id" else NOBODY
    ask(
        connection,
        f"insert into raw.{table.name} select * from jsonb_populate_record("
        f"null::raw.{table.name}, %s)",
        orjson.dumps(row).decode(),
    )


def strays(connection: Connection) -> set[str]:
    """The tables that still have a stray row."""
    return {
        table.name
        for table in FULL
        if ask(connection, f"select 1 from raw.{table.name} where _dlt_load_id = 'stray'")
    }


def test_a_full_pass_alone_deletes_what_no_campus_and_no_person_lists_any_more(
    read_world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", ",".join(STREAMS))
    for table in FULL:
        add_stray(connection, table)
    names = {table.name for table in FULL}

    assert run("run", "--mode", "live").exit_code == 0
    assert strays(connection) == names
    # of one campus: the rows of its own students only
    campus = ask(connection, "select min(campus_id) from raw.users")[0][0]
    assert run("run", "--campus-ids", str(campus)).exit_code == 0
    assert strays(connection) == names - {"campus"}
    assert run("run").exit_code == 0
    assert strays(connection) == set()
    recorded = ask(connection, "select distinct resource from ops.deleted_rows where key @? '$.*'")
    assert names <= {name for (name,) in recorded}, "a copy in files goes by the record"


def two_edits(world: str) -> None:
    """Changes two hours apart, the later ones just now."""
    control(world, "advance", {**EDITS, "seed": 1})
    control(world, "clock", {"advance_seconds": 7200})
    control(world, "advance", {**EDITS, "seed": 2})


@pytest.fixture
def edited_world(world: str, passed: Callable[..., None]) -> str:
    """A world with two edits that a full pass and a backfill have read."""
    passed("full", "backfill", change=two_edits)
    two_edits(world)
    return world


@pytest.mark.parametrize("which", [{"row": 0}, {"rows": "all"}], ids=["one", "all"])
@pytest.mark.parametrize("time", [None, "2099-05-01T00:00:00.000Z"])
def test_rows_whose_time_no_live_pass_can_go_by_are_read_like_any_other(
    time: str | None, which: dict[str, object], edited_world: str, connection: Connection
) -> None:
    untimed = {"kind": "set_field", "field": "updated_at", "value": time, "call": "every"}
    control(edited_world, "faults", {**untimed, "path": r"range%5Bupdated_at", **which})
    odd = "select id from raw.users where updated_at is not distinct from %s::timestamptz"

    broken = run("run", "--mode", "live")
    found = ask(connection, odd, time)
    mend(edited_world)
    mended = run("run", "--mode", "live")

    assert (broken.exit_code, mended.exit_code) == (0, 0), broken.output + mended.output
    assert found and not ask(connection, odd, time)


def test_what_changes_after_a_row_of_a_time_to_come_is_seen(
    read_world: str, connection: Connection
) -> None:
    ask(
        connection,
        "update raw.users set updated_at = now() + interval '3 days' "
        "where id = (select min(id) from raw.users)",
    )
    [(before,)] = ask(connection, "select max(_dlt_load_id) from raw.users")
    ids = control(read_world, "advance", EDITS)["edit_with_updated_at"]["users"]

    assert run("run", "--mode", "live").exit_code == 0

    seen = ask(connection, "select id from raw.users where _dlt_load_id > %s", before)
    assert ids and {key for (key,) in seen} >= set(ids)


def lose_rows(
    connection: Connection, minutes: tuple[int, int], *, least: int = 1
) -> dict[str, set[int]]:
    """Take rows out of raw that changed so many minutes before the newest; returns their ids."""
    lost = {}
    for table in LIVE:
        if table.name == "campus_users":  # its newest row is not of the same changes
            continue
        lost[table.name] = {
            key
            for (key,) in ask(
                connection,
                f"delete from raw.{table.name} where updated_at between "
                "(select max(updated_at) from raw.users) - make_interval(mins => %s) and "
                "(select max(updated_at) from raw.users) - make_interval(mins => %s) returning id",
                minutes[1],
                minutes[0],
            )
        }
    lost = {name: keys for name, keys in lost.items() if keys}
    assert {"users", "cursus_users"} <= lost.keys()
    return lost


def still_lost(connection: Connection, lost: dict[str, set[int]]) -> dict[str, set[int]]:
    there = {
        name: {key for (key,) in ask(connection, f"select id from raw.{name}")} for name in lost
    }
    return {name: keys - there[name] for name, keys in lost.items() if keys - there[name]}


def test_a_live_pass_reads_the_ten_minutes_before_the_last_one_again(
    filled_world: str, connection: Connection
) -> None:
    control(filled_world, "advance", {**EDITS, "seed": 1})
    control(filled_world, "clock", {"advance_seconds": 420})
    control(filled_world, "advance", {**EDITS, "seed": 2})
    assert run("run", "--mode", "live").exit_code == 0
    # as if these had been committed after the pass, with the times that they have
    lost = lose_rows(connection, (5, 9))

    assert run("run", "--mode", "live").exit_code == 0

    assert still_lost(connection, lost) == {}


def test_the_first_live_pass_begins_before_the_oldest_page_of_the_full_one(
    edited_world: str, connection: Connection
) -> None:
    # the pass over the users took three hours
    ask(
        connection,
        "update ops.listings set finished_at = finished_at - interval '3 hours' where ctid = "
        "(select min(ctid) from ops.listings where resource = 'users')",
    )
    lost = lose_rows(connection, (100, 140))

    assert run("run", "--mode", "live").exit_code == 0

    assert still_lost(connection, lost) == {}


def test_the_first_live_pass_begins_before_the_backfill_read_the_first_students(
    edited_world: str, connection: Connection
) -> None:
    ask(
        connection,
        "update ops.relation_reads set read_at = (select max(updated_at) from raw.users) "
        "- interval '3 hours'",
    )
    lost = {
        name: keys
        for name, keys in lose_rows(connection, (100, 140)).items()
        if TABLES[name].backfill
    }
    assert lost

    assert run("run", "--mode", "live").exit_code == 0

    assert still_lost(connection, lost) == {}


@pytest.mark.parametrize(("mode", "table"), [("full", "users"), ("backfill", "projects_users")])
def test_what_was_read_before_a_live_pass_and_loaded_after_it_is_read_again(
    mode: str, table: str, filled_world: str, connection: Connection
) -> None:
    two_edits(filled_world)
    ask(connection, "update ops.relation_reads set stale = true")
    refuse_updates(connection, table)
    assert run("run", "--mode", mode).exit_code == 1
    ask(connection, f"drop trigger refuse on raw.{table}")
    age_listings(3 * 3600)
    two_edits(filled_world)
    assert run("run", "--mode", "live").exit_code == 0
    published = [table.name for table in LIVE if table.mirror]
    assert differences(connection, Truth(filled_world, "sandbox"), published) == []
    # no less is in raw because the build behind that pass failed, or the next one reads nothing
    ask(connection, "update ops.runs set status = 'failed' where mode = 'live'")
    assert run("run", "--mode", mode).exit_code == 0  # with what was cached
    fault = {"kind": "denied_403", "path": rf"/{table}\?.*range%5Bupdated_at", "call": 1}
    control(filled_world, "faults", fault)
    refused = run("run", "--mode", "live")
    assert refused.exit_code == 1 or f"degraded: {table}" in refused.output

    assert run("run", "--mode", "live").exit_code == 0

    assert differences(connection, Truth(filled_world, "sandbox"), published) == []


def test_a_pass_of_some_campuses_moves_no_window_of_the_others(
    filled_world: str, connection: Connection
) -> None:
    assert run("run", "--mode", "live").exit_code == 0
    two_edits(filled_world)
    control(filled_world, "clock", {"advance_seconds": 7200})
    control(filled_world, "advance", EDITS)
    # the passes before were as long ago as the API's clock says
    ask(connection, "update ops.listings set finished_at = finished_at - interval '4 hours'")
    ask(connection, "update ops.runs set started_at = started_at - interval '4 hours'")
    [(campus,)] = ask(
        connection, "select campus_id from raw.users order by updated_at desc limit 1"
    )
    assert run("run", "--campus-ids", str(campus)).exit_code == 0

    assert run("run", "--mode", "live").exit_code == 0

    published = [table.name for table in LIVE if table.mirror]
    assert differences(connection, Truth(filled_world, "sandbox"), published) == []


def test_a_load_that_fails_leaves_every_cursor_where_it_was(
    filled_world: str, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = filled_world
    monkeypatch.setenv("FORTYTWO_LOCAL", str(tmp_path))
    assert run("run", "--mode", "live").exit_code == 0
    for seed in (1, 2):  # the later changes would move a cursor beyond the overlap
        control(world, "advance", {"edit_with_updated_at": 40, "seed": seed})
        control(world, "clock", {"advance_seconds": 7200})
    refuse_updates(connection)
    before = ask(connection, "select count(*), max(updated_at) from raw.users")
    assert run("run", "--mode", "live").exit_code == 1
    assert ask(connection, "select count(*), max(updated_at) from raw.users") == before
    ask(connection, "drop trigger refuse on raw.users")
    shutil.rmtree(tmp_path / "listings")  # what was read does not help

    assert run("run", "--mode", "live").exit_code == 0

    published = [table.name for table in LIVE if table.mirror]
    assert differences(connection, Truth(world, "sandbox"), published) == []


def test_a_sign_up_is_not_overtaken_by_a_later_one_that_the_backfill_brings(
    agenda_world: str, connection: Connection
) -> None:
    world = agenda_world
    assert run("run", "--mode", "live").exit_code == 0
    ids = control(world, "advance", {"sign_up": 6})["sign_up"]["events_users"]
    event = {row["id"]: row["event_id"] for row in rows(world, "events_users")}
    ask(connection, "update ops.event_reads set stale = true where event_id = %s", event[max(ids)])
    assert run("run", "--mode", "backfill").exit_code == 0
    there = "select count(*) from raw.events_users where id = any(%s)"
    assert 1 <= ask(connection, there, ids)[0][0] < len(ids)

    assert run("run", "--mode", "live").exit_code == 0

    assert ask(connection, there, ids) == [(len(ids),)]


def test_what_a_live_pass_could_not_read_of_a_stream_the_next_one_does(
    agenda_world: str, connection: Connection
) -> None:
    world = agenda_world
    assert run("run", "--mode", "live").exit_code == 0
    new = control(world, "advance", {"new_events": 2})["new_events"]["events"]
    control(world, "clock", {"advance_seconds": 7200})
    control(world, "advance", {"edit_with_updated_at": 40})
    control(world, "faults", {"kind": "denied_403", "path": "/v2/events", "call": 1})
    assert "degraded: events" in run("run", "--mode", "live").output

    assert run("run", "--mode", "live").exit_code == 0

    there = "select count(*) from raw.events where id = any(%s)"
    assert ask(connection, there, new) == [(2,)]


def test_of_a_long_pause_all_parts_are_loaded_or_none(
    agenda_world: str, connection: Connection
) -> None:
    world, new = agenda_world, []
    assert run("run", "--mode", "live").exit_code == 0
    for day in range(3):
        new += control(world, "advance", {"new_events": 2, "seed": day})["new_events"]["events"]
        control(world, "clock", {"advance_seconds": 86400})
    control(world, "advance", {"edit_with_updated_at": 6})
    # the part that comes last, again and again
    fault = {"kind": "wrong_total", "path": "/v2/events", "call": 4, "times": 50}
    control(world, "faults", fault)
    there = "select count(*) from raw.events where id = any(%s)"

    assert "degraded: events" in run("run", "--mode", "live").output

    assert ask(connection, there, new) == [(0,)]
    mend(world)
    assert run("run", "--mode", "live").exit_code == 0
    assert ask(connection, there, new) == [(6,)]


def test_what_changed_in_a_long_pause_is_read_in_parts_that_are_kept(
    world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", "seats")
    monkeypatch.setitem(TABLES, "locations", replace(TABLES["locations"], page_size=20))
    assert run("run").exit_code == 0
    opened = []
    for day in range(6):
        answer = control(world, "advance", {"open_sessions": 120, "seed": day})
        opened += answer["open_sessions"]["locations"]
        control(world, "advance", {"close_sessions": 120})
        control(world, "clock", {"advance_seconds": 86400})
    control(world, "advance", {"edit_with_updated_at": 6})

    statuses = []
    while len(statuses) < 12 and 0 not in statuses:  # the 720 sessions are 36 pages
        statuses.append(run("run", "--mode", "live", "--max-calls", "30").exit_code)

    assert set(statuses[:-1]) == {75} and statuses[-1] == 0
    still_open = {row["id"] for row in rows(world, "locations") if row["end_at"] is None}
    there = ask(
        connection,
        "select id, end_at is null from raw.locations where id >= %s order by id",
        opened[0],
    )
    assert there == [(key, key in still_open) for key in opened]
