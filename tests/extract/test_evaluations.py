"""Evaluations: who takes part, hidden people, booked and cancelled ones, day by day."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from extract.base.errors import ContractError
from extract.listing.columns import to_arrow, unknown_fields
from extract.listing.listing import of_parents
from extract.load.raw import DAYS_AHEAD, Raw
from extract.passes.backfill import mark_open_stale
from extract.tables import TABLES
from extract.tables.streams import STREAMS
from extract.tables.table import day_of, window_of_days
from tests.end_to_end.oracle import days_since, rows
from tests.extract.commands import ask, calls, control, forget_calls, mend, run

SEVEN, EIGHT = ({"id": n, "login": f"user{n}", "url": ""} for n in (7, 8))
GIVEN, RECEIVED, MISSED = (
    {"user_id": 7, "role": "corrector"},
    {"user_id": 8, "role": "corrected"},
    {"user_id": 8, "role": "truant"},
)


def payload(**changed: Any) -> dict[str, Any]:
    """An evaluation with fields that the mirror needs, and some others."""
    return {
        "id": 1,
        "scale_id": 3,
        **dict.fromkeys(("begin_at", "created_at", "updated_at"), "2026-03-01T22:30:00.000Z"),
        **dict.fromkeys(("filled_at", "final_mark", "feedback_rating", "flag")),
        "corrector": SEVEN,
        "correcteds": [EIGHT],
        "truant": {},
        "comment": "Kind.",
        **changed,
    }


@pytest.mark.parametrize(
    ("changed", "people", "hidden"),
    [
        ({}, [GIVEN, RECEIVED], (False, False)),
        ({"truant": EIGHT}, [GIVEN, RECEIVED, MISSED], (False, False)),
        ({"corrector": "invisible"}, [RECEIVED], (True, False)),
        ({"corrector": {}, "correcteds": "invisible"}, [], (False, True)),
        ({"corrector": None, "correcteds": None, "truant": None}, [], (False, False)),
    ],
)
def test_who_takes_part_has_a_role_and_is_nobody_or_hidden_as_the_api_says(
    changed: dict[str, Any], people: list[dict[str, Any]], hidden: tuple[bool, bool]
) -> None:
    (row,) = to_arrow(TABLES["scale_teams"], [payload(**changed)], "/v2/scale_teams").to_pylist()
    assert json.loads(row["people"]) == people
    assert (row["corrector_hidden"], row["corrected_hidden"]) == hidden
    assert "Kind." not in str(row)


def test_a_field_that_is_new_is_known_by_its_name_and_not_by_what_somebody_wrote() -> None:
    table = to_arrow(TABLES["scale_teams"], [payload(remark="Rude.")], "/v2/scale_teams")
    assert list(unknown_fields(table)) == ["remark"]
    assert "Rude." not in str(table.to_pylist())


@pytest.mark.parametrize("changed", [{"corrector": "somebody"}, {"correcteds": [8]}, {"truant": 8}])
def test_people_of_another_shape_break_the_contract_instead_of_being_lost(
    changed: dict[str, Any],
) -> None:
    gone = {name: value for name, value in payload().items() if name not in changed}
    for row in (payload(**changed), gone):
        with pytest.raises(ContractError, match=r"raw\.scale_teams\.people failed"):
            to_arrow(TABLES["scale_teams"], [row], "/v2/scale_teams")


def test_a_day_is_asked_for_from_before_its_midnight_until_after_the_next() -> None:
    """Bounds may be exclusive, and at midnight in UTC evaluations begin in Seoul."""
    asked = of_parents(TABLES["scale_teams"], [day_of("2026-03-01") or 0], 21)
    bounds = "2026-02-28T23:59:59.000Z,2026-03-02T00:00:01.000Z"
    assert asked.params["range[begin_at]"] == bounds


def test_what_a_day_lists_of_the_days_beside_is_theirs(
    world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", "evaluations")
    monkeypatch.setenv("EVALUATIONS_RETENTION_DAYS", str(days_since(4)))
    for mode in ("full", "backfill"):
        assert run("run", "--mode", mode).exit_code == 0
    all_of = "select id from raw.scale_teams where begin_day = %s order by id"
    [(day,)] = ask(
        connection,
        "select begin_day from raw.scale_teams group by 1 having count(*) > 1 order by 1 limit 1",
    )
    before, (first, *others) = ask(connection, all_of, day + 1), ask(connection, all_of, day)
    midnight = f"{datetime.fromtimestamp(86400 * (day + 1), UTC):%FT%T}.000Z"
    (begin, end) = window_of_days([day])
    fault = {"kind": "set_field", "field": "begin_at", "value": midnight, "row": 0, "call": "every"}
    control(world, "faults", {**fault, "path": f"{begin:%F}T23.*{end:%F}T00"})

    # its row of then begins at the midnight behind it, which the list of the next day lacks
    ask(
        connection,
        "update ops.day_reads set stale = true where begin_day in (%s, %s)",
        day,
        day + 1,
    )
    assert run("run", "--mode", "backfill").exit_code == 0
    assert ask(connection, all_of, day) == others
    assert ask(connection, all_of, day + 1) == before

    # the API's list of the day has it, and so has the count of what raw has of that list
    assert Raw(connection).rows_of_parents("scale_teams", [day]) == len(others)
    ask(
        connection,
        "insert into raw.scale_teams select (jsonb_populate_record(t, jsonb_build_object("
        "'id', %s, 'begin_at', %s, 'begin_day', %s))).* from raw.scale_teams as t limit 1",
        *(first[0], midnight, day + 1),
    )
    assert Raw(connection).rows_of_parents("scale_teams", [day]) == len(others) + 1

    # one that is moved while both days are read for one load
    mend(world)
    moved = before[0][0]
    fault |= {"field": "id", "value": moved, "path": f"{begin:%F}T23.*{end:%F}T00"}
    control(world, "faults", fault)
    ask(connection, "update ops.day_reads set stale = true")
    broken = run("run", "--mode", "backfill")
    assert broken.exit_code == 0, broken.output
    assert ask(connection, "select count(*) from raw.scale_teams where id = %s", moved) == [(1,)]


@pytest.mark.usefixtures("world")
def test_an_evaluation_that_was_booked_for_weeks_ahead_goes_when_it_is_cancelled(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", "evaluations")
    monkeypatch.setenv("EVALUATIONS_RETENTION_DAYS", str(days_since(2)))
    monkeypatch.setenv("BACKFILL_CALLS", "100")
    assert run("run").exit_code == 0
    day = (day_of(Raw(connection).newest_update("users")) or 0) + DAYS_AHEAD + 5
    ask(
        connection,
        "insert into raw.scale_teams select (jsonb_populate_record(t, jsonb_build_object("
        "'id', 900000000, 'begin_at', to_timestamp(86400 * %s), 'begin_day', %s))).* "
        "from raw.scale_teams as t limit 1",
        *(day, day),
    )
    assert run("run").exit_code == 0
    assert ask(connection, "select id from raw.scale_teams where id = 900000000") == []


@pytest.mark.slow
def test_evaluations_are_booked_held_shown_and_cancelled(
    world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differ() -> set[Any]:
        """Evaluations of the API and of raw that the other does not have so."""
        query = "select id, final_mark, corrector_hidden, corrected_hidden from raw.scale_teams"
        mirrored = set(ask(connection, query))
        oldest = STREAMS["evaluations"].kept_from()
        assert mirrored
        return mirrored ^ {
            (
                *(r["id"], r["final_mark"]),
                *(r[name] == "invisible" for name in ("corrector", "correcteds")),
            )
            for r in rows(world, "scale_teams", "&filter[cursus_id]=21")
            if oldest and datetime.fromisoformat(r["begin_at"]) >= oldest
        }

    monkeypatch.setenv("STREAMS", "evaluations")
    monkeypatch.setenv("EVALUATIONS_RETENTION_DAYS", str(days_since(20)))
    for mode in ("full", "backfill"):
        assert run("run", "--mode", mode).exit_code == 0
    assert not differ()

    for seed in (1, 2):
        changes = {f"{what}_evaluations": 4 for what in ("book", "hold", "miss", "cancel")}
        control(world, "advance", {**changes, "seed": seed})
        forget_calls(world)
        assert run("run", "--mode", "live").exit_code == 0
        assert calls(world)["paths"]["/v2/scale_teams"] == 1
    assert len(differ()) <= 8, "nothing but what was cancelled"
    control(world, "clock", {"advance_seconds": 7200})
    assert run("run").exit_code == 0
    assert not differ()

    # from two days ago on a cancelled or hidden one is looked for after each full pass
    raw = Raw(connection)
    mark_open_stale(connection, raw)
    days = "select min(begin_day), max(begin_day) from ops.day_reads where stale"
    [(first, last)] = ask(connection, days)
    today = raw.newest_update("users")
    assert (first, last) == (day_of(today - timedelta(days=2)), day_of(today) + DAYS_AHEAD)

    # one of before that was deleted is missed when its day is counted, once a day
    ask(
        connection,
        "insert into raw.scale_teams "
        "select (jsonb_populate_record(t, '{\"id\": 900000000}')).* "
        "from raw.scale_teams as t where begin_day < %s order by id limit 1",
        first - 3,
    )
    ask(connection, "update ops.day_reads set stale = false, checked_at = now() - interval '25h'")
    assert differ()
    monkeypatch.setenv("BACKFILL_CALLS", "200")
    assert run("run", "--mode", "live").exit_code == 0
    assert not differ()

    # what was read of days that are kept no longer is forgotten with their rows; no time, no row
    monkeypatch.setenv("EVALUATIONS_RETENTION_DAYS", str(days_since(5)))
    ask(
        connection,
        "update raw.scale_teams set begin_at = null, begin_day = null "
        "where id = (select max(id) from raw.scale_teams)",
    )
    raw.delete_old("test")
    assert ask(connection, "select id from raw.scale_teams where begin_at is null") == []
    oldest = day_of(STREAMS["evaluations"].kept_from())
    assert ask(connection, "select min(begin_day) from ops.day_reads") == [(oldest,)]
