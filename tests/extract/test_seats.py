"""Sessions at computers: opened, closed and vanished ones, and no older ones than are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from extract.listing.listing import changed
from extract.tables import TABLES
from tests.end_to_end.oracle import days_since, rows
from tests.extract.commands import (
    age_listings,
    ask,
    calls,
    control,
    count,
    forget_calls,
    mend,
    refuse_updates,
    run,
)


def moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def still_open(found: set[Any]) -> set[Any]:
    return {session for session in found if session[-1] is None}


def sessions(world: str, connection: Connection, kept: int) -> tuple[set[Any], set[Any]]:
    """The students' sessions as the API has them and as raw does."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    oldest = midnight - timedelta(days=kept)
    students = {user for (user,) in ask(connection, "select id from raw.users")}
    query = "select id, user_id, host, begin_at, end_at from raw.locations"
    mirrored = set(ask(connection, query))
    listed = {
        (r["id"], r["user"]["id"], r["host"], moment(r["begin_at"]), moment(r["end_at"]))
        for r in rows(world, "locations")
        if r["user"]["id"] in students and datetime.fromisoformat(r["begin_at"]) >= oldest
    }
    return listed, mirrored


@pytest.mark.slow
def test_sessions_open_close_and_vanish_and_grow_too_old(
    world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", "seats")
    monkeypatch.setenv("SEATS_RETENTION_DAYS", str(days_since(60)))
    for mode in ("full", "backfill"):
        assert run("run", "--mode", mode).exit_code == 0
    listed, mirrored = sessions(world, connection, days_since(60))
    assert listed and mirrored == listed

    changes = {"open_sessions": 6, "close_sessions": 4, "delete_sessions": 4}
    for mode, seed, most in (("live", 1, 0), ("live", 2, 3), ("full", 3, 3)):
        monkeypatch.setattr("extract.passes.open_rows.LIVE_CALLS", most)
        control(world, "advance", {**changes, "seed": seed})
        control(world, "clock", {"advance_seconds": 900})
        forget_calls(world)
        assert run("run", "--mode", mode).exit_code == 0
        if mode == "live":
            assert calls(world)["paths"]["/v2/locations"] <= 5
            # a closed session that vanished is seen when its student is read again
            listed, mirrored = sessions(world, connection, days_since(60))
            assert listed <= mirrored
            # which of the open ones vanished is known of those that are asked for
            assert bool(most) == (still_open(mirrored) == still_open(listed))
    listed, mirrored = sessions(world, connection, days_since(60))
    assert mirrored == listed

    # one that was closed before it vanished goes when its student is read again
    ask(
        connection,
        "insert into raw.locations (id, user_id, campus_id, begin_at, end_at, _dlt_load_id) "
        "select 900000000, user_id, campus_id, begin_at, begin_at, 'stray' "
        "from raw.locations where end_at is not null limit 1",
    )
    ask(connection, "update ops.relation_reads set stale = true where resource = 'locations'")
    assert run("run", "--mode", "backfill").exit_code == 0
    assert sessions(world, connection, days_since(60)) == (listed, listed)

    monkeypatch.setenv("SEATS_RETENTION_DAYS", str(days_since(7)))
    assert run("run", "--mode", "live").exit_code == 0
    listed, mirrored = sessions(world, connection, days_since(7))
    assert mirrored == listed
    kept = count(connection, "locations")
    monkeypatch.setenv("STREAMS", "essential")
    assert run("run", "--mode", "live").exit_code == 0
    assert count(connection, "locations") == kept


@pytest.mark.usefixtures("world")
def test_an_open_session_that_vanished_goes_with_a_pass_that_brings_no_row(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", "seats")
    assert run("run").exit_code == 0
    ask(connection, "delete from raw.locations")
    ask(
        connection,
        "insert into raw.locations (id, user_id, campus_id, begin_at, _dlt_load_id) "
        "select 900000000, id, campus_id, now(), 'stray' from raw.users limit 1",
    )
    monkeypatch.setattr("extract.passes.open_rows.changed", lambda *arguments: [])

    assert run("run", "--mode", "live").exit_code == 0

    assert count(connection, "locations") == 0


def test_an_open_session_that_is_nobodys_any_more_goes(
    world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", "seats")
    monkeypatch.setenv("ALLOW_DELETES", "1")
    assert run("run").exit_code == 0
    assert run("run", "--mode", "live").exit_code == 0
    are_open = "select count(*) > 0 from raw.locations where end_at is null"
    assert ask(connection, are_open) == [(True,)]
    nobody = {"kind": "set_field", "field": "user", "value": None, "rows": "all", "call": "every"}
    control(world, "faults", {**nobody, "path": "/v2/locations"})

    assert run("run").exit_code == 0

    assert ask(connection, are_open) == [(False,)]


@pytest.mark.parametrize("field", ["begin_at", "end_at"])
def test_sessions_are_seen_that_begin_or_end_before_one_of_a_time_to_come(
    field: str, world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", "seats")
    monkeypatch.setattr("extract.passes.open_rows.LIVE_CALLS", 0)
    changes = {"open_sessions": 6, "close_sessions": 4, "edit_with_updated_at": 6}
    assert run("run").exit_code == 0
    control(world, "advance", changes)
    to_come = f"{datetime.now(UTC) + timedelta(days=3):%FT%T}.000Z"
    fault = {"kind": "set_field", "field": field, "value": to_come, "rows": "all", "call": "every"}
    # the window of the one is in the request for the other, too: how long sessions are kept
    path = {"begin_at": r"locations\?(?!.*end_at)", "end_at": r"range%5Bend_at"}[field]
    control(world, "faults", {**fault, "path": path})
    assert run("run", "--mode", "live").exit_code == 0
    mend(world)
    to_come_is_there = f"select 1 from raw.locations where {field} > now()"
    assert ask(connection, to_come_is_there)

    control(world, "clock", {"advance_seconds": 1800})
    new = control(world, "advance", changes)
    assert run("run", "--mode", "live").exit_code == 0

    listed, mirrored = sessions(world, connection, days_since(60))
    ids = {*new["open_sessions"]["locations"], *new["close_sessions"]["locations"]}
    assert {row for row in listed if row[0] in ids} <= mirrored


@pytest.mark.slow
@pytest.mark.parametrize("newer", ["live", "full"])
def test_what_sessions_did_before_an_older_listing_was_loaded_is_read_again(
    newer: str, world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", "seats")
    monkeypatch.setattr("extract.passes.open_rows.LIVE_CALLS", 0)
    for mode in ("full", "backfill", "live"):
        assert run("run", "--mode", mode).exit_code == 0
    ask(connection, "update ops.relation_reads set stale = true")
    ask(connection, "update raw.locations set host = 'elsewhere'")
    refuse_updates(connection, "locations")
    assert run("run", "--mode", "backfill").exit_code == 1
    ask(connection, "drop trigger refuse on raw.locations")
    age_listings(3 * 3600)
    ask(connection, "update ops.runs set started_at = started_at - interval '4 hours'")
    changes = {"open_sessions": 6, "close_sessions": 8, "edit_with_updated_at": 6}
    for seed in (1, 2, 3):
        control(world, "advance", {**changes, "seed": seed})
        control(world, "clock", {"advance_seconds": 3600})
    control(world, "advance", {"edit_with_updated_at": 6})
    for mode in (newer, "backfill", "live"):  # the second with what was cached
        assert run("run", "--mode", mode).exit_code == 0

    listed, mirrored = sessions(world, connection, days_since(60))
    assert listed <= mirrored


@pytest.mark.parametrize("field", ["begin_at", "end_at"])
def test_no_session_is_asked_for_that_is_older_than_sessions_are_kept(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEATS_RETENTION_DAYS", "30")
    long_ago, oldest = (datetime.now(UTC) - timedelta(days=days) for days in (365, 30))

    (asked,) = changed(TABLES["locations"], field, long_ago, 21)

    assert asked.params["range[begin_at]"].startswith(f"{oldest:%F}T00:00:00")
