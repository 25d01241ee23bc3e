"""What a person sees of an extraction, on a terminal and elsewhere."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console

from extract.api.quota import Quota, seconds_left
from extract.listing.listing import Listing
from extract.listing.reader import Arrived
from extract.passes.plan import Plan, PlannedResource
from extract.progress import ExtractionProgress
from extract.tables.declarations import TABLES

USERS = Listing("users", "all", "/users")


def page(number: int, total: int) -> Arrived:
    return Arrived(pa.table({"id": list(range(100))}), set(), number, total, 100)


def watched(
    tmp_path: Path,
    *,
    terminal: bool = False,
    planned: dict[str, int] | None = None,
    width: int = 120,
) -> tuple[ExtractionProgress, Quota, io.StringIO, list[tuple[str, int, int | None]]]:
    shown, notes = io.StringIO(), list[tuple[str, int, int | None]]()
    console = Console(file=shown, force_terminal=terminal, width=width)
    progress, quota = ExtractionProgress(console), Quota("a key", directory=tmp_path)
    progress.follow(quota, planned or {}, lambda *note: notes.append(note))
    return progress, quota, shown, notes


def test_it_says_calls_done_of_planned_quota_left_and_the_end(tmp_path: Path) -> None:
    progress, quota, _, _ = watched(tmp_path, planned={"users": 4, "cursus_users": 6})

    quota.acquire()
    progress.page(USERS, page(1, 950))

    text = progress.sentence()
    assert "1 of 16 calls" in text, "nine pages more than were planned are planned now"
    assert "1,199 of 1,200 left this hour" in text and "ends about" in text


def test_a_plan_counts_our_own_work_where_the_api_lets_everything_through() -> None:
    relations = PlannedResource("projects_users", 2_600_000, 26_449, "backfill")
    plan = Plan([relations], quota_left=10**6, hourly_limit=10**6, seconds_a_call=0.0001)

    assert 5 < plan.minutes("backfill") < 30


def test_without_a_run_before_it_the_planned_calls_are_not_invented(tmp_path: Path) -> None:
    progress, quota, _, _ = watched(tmp_path)

    quota.acquire()
    progress.page(USERS, page(1, 950))

    assert progress.planned() is None
    assert "1 calls" in progress.sentence() and " of 10 calls" not in progress.sentence()


def test_a_first_pass_plans_the_rest_when_it_knows_the_students(tmp_path: Path) -> None:
    progress, quota, _, _ = watched(tmp_path)
    quota.acquire()
    progress.page(USERS, page(1, 100))

    progress.plan({"cursus_users": 4})

    assert "1 of 5 calls" in progress.sentence()


def test_a_terminal_has_one_line_and_no_line_per_table(tmp_path: Path) -> None:
    progress, _, shown, _ = watched(tmp_path, terminal=True)

    with progress:
        progress.page(USERS, page(1, 950))
        progress.page(Listing("campus", "all", "/campus"), page(1, 100))

    assert "rows" not in shown.getvalue()
    assert "/?" not in shown.getvalue() and "\u2501" not in shown.getvalue()


def test_a_terminal_of_80_columns_shows_when_it_ends(tmp_path: Path) -> None:
    table = max(TABLES, key=len)
    progress, quota, shown, _ = watched(tmp_path, terminal=True, planned={table: 18_890}, width=80)

    with progress:
        quota.acquire()
        progress.page(Listing(table, "all", "/"), page(1, 950))

    assert re.search(r"1 of 18,890 calls, ends about \d\d:\d\d UTC, ", shown.getvalue())
    assert "left this hour" not in shown.getvalue(), "what there is no room for is cut, not wrapped"


@pytest.mark.parametrize("variable", ["NO_COLOR=1", "TERM=dumb"])
def test_plain_lines_where_a_changing_one_is_not_wanted(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*variable.split("="))
    progress, _, shown, _ = watched(tmp_path, terminal=True)

    with progress:
        progress.page(USERS, page(1, 100))

    assert shown.getvalue().startswith("  users") and shown.getvalue().count("\n") == 1


def test_a_wait_for_the_hour_is_one_line_however_often_it_is_asked(tmp_path: Path) -> None:
    progress, _, shown, notes = watched(tmp_path)

    for seconds in (900.0, 870.0, 840.4, 30.0 + 780):
        progress.waiting(seconds + 30 * (0 if seconds == 900.0 else 1))
    progress.waiting(4500.0)

    assert shown.getvalue().count("waiting until") == 2
    assert notes[0][0].startswith("waiting for the API's next hour until")


def test_the_run_notes_where_it_is(tmp_path: Path) -> None:
    progress, _, _, notes = watched(tmp_path, planned={"users": 3})

    progress.page(USERS, page(1, 300))

    assert notes == [("users", 0, 3)]


@pytest.mark.parametrize(
    ("calls", "left", "seconds"), [(100, 1000, 55.0), (1000, 500, 3600.0), (3000, 500, 10800.0)]
)
def test_the_end_counts_the_hours_that_the_quota_makes_it_wait(
    calls: int, left: int, seconds: float
) -> None:
    assert seconds_left(calls, 0.55, left, 1200) == pytest.approx(seconds)
