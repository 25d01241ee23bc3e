"""A whole mirror over a changing world: after a full pass it equals the truth, field by field."""

from __future__ import annotations

import io
import subprocess

import pytest
import requests
from psycopg2.extensions import connection as Connection
from rich.console import Console

from extract import run as runs
from extract.base.lock import new_run_id, run_lock
from extract.base.query import scalar
from extract.programs import DBT
from extract.progress import ExtractionProgress
from extract.tables.streams import STREAMS
from ops.sync import dbt_build, sync
from tests.conftest import PUBLISHED, ROOT, build_without_unit_tests
from tests.end_to_end.oracle import days_since, differences, expected

PASSES_A_DAY = 96
CHANGES = {
    "edit_with_updated_at": 6,
    "form_teams": 2,
    "retry_teams": 2,
    "give_up_teams": 1,
    "edit_silently": 4,
    "new_relations": 6,
    "transfer": 1,
    "start_quests": 3,
    "validate_quests": 3,
    "new_events": 2,
    "edit_events": 2,
    "sign_up": 6,
    "open_sessions": 6,
    "close_sessions": 4,
    "book_evaluations": 6,
    "hold_evaluations": 3,
    "miss_evaluations": 1,
}
# as many deletions in each pass would be what the deletion guard is for
CHANGES_OF_TWO_HOURS = {
    "new_users": 4,
    "delete_users": 1,
    "delete_relations": 3,
    "recreate_relations": 3,
    "leave_teams": 2,
    "cancel_sign_up": 2,
    "delete_sessions": 4,
    "cancel_evaluations": 4,
}


def extract(mode: str) -> runs.Extracted:
    """One extraction in this process."""
    console = Console(file=io.StringIO())
    run_id = new_run_id()
    with run_lock(mode, run_id) as held, ExtractionProgress(console) as progress:
        return runs.extract(mode, progress=progress, connection=held, run_id=run_id)


def advance(address: str, **changes: int) -> None:
    """Let the sandbox's world change."""
    answer = requests.post(f"{address}/_sandbox/advance", json=changes, timeout=30)
    answer.raise_for_status()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "passes",
    [
        pytest.param(1, marks=pytest.mark.xdist_group("builds")),
        pytest.param(PASSES_A_DAY, marks=pytest.mark.slow),
    ],
)
def test_after_a_day_of_changes_the_mirror_equals_the_truth(
    passes: int, world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMS", ",".join(STREAMS))
    for stream in STREAMS.values():
        if stream.days:
            monkeypatch.setenv(stream.retention, str(days_since(30)))
    extract("full")
    extract("backfill")
    for number in range(passes):
        changes = CHANGES if number % 8 else CHANGES | CHANGES_OF_TWO_HOURS
        advance(world, **changes, seed=number)
        requests.post(f"{world}/_sandbox/clock", json={"advance_seconds": 900}, timeout=10)
        assert not extract("live").degraded
        if number == PASSES_A_DAY // 2:
            assert build_without_unit_tests(new_run_id()) == 0
            found = differences(connection, expected(world))
            missing = {line.split()[0] for line in found if line.endswith("missing")}
            # who is hidden until shortly before comes with the mark, or in the night
            assert missing <= {"scale_teams_users"}
    advance(world, projects_leave=1, anonymise=1, alumnise=2, seed=1000)
    # a session that was closed before it vanished is missed when its student is read again
    monkeypatch.setenv("BACKFILL_CALLS", "5000")
    sync("full", console=Console(file=io.StringIO()))
    truth = expected(world)
    assert truth.keys() == set(PUBLISHED)
    assert all(truth.values())
    assert differences(connection, truth) == []
    calls = requests.get(f"{world}/_sandbox/calls", timeout=10).json()
    assert not [status for status in calls["statuses"] if status != "200"]
    assert calls["max_in_1h"] <= 1200


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_models_are_proven_once_and_an_unchanged_raw_is_not_built_again(
    world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract("full")
    told = [
        subprocess.run([*DBT, "build"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert ["PASS int_users__classified::" in output for output in told] == [True, False]

    monkeypatch.setattr("ops.sync.dbt_build", dbt_build)
    for _ in range(2):  # the first brings what the full pass overlapped, and builds
        sync("live", console=Console(file=io.StringIO()))

    newest = "select status from ops.runs order by started_at desc limit 1"
    assert scalar(connection, newest) == "unchanged"


@pytest.mark.slow
def test_what_a_live_pass_learns_is_published_and_nothing_else_moves(
    world: str, connection: Connection
) -> None:
    extract("full")
    extract("backfill")
    advance(world, edit_with_updated_at=10, new_users=3, new_relations=10, transfer=2, seed=5)
    extract("live")
    run_id = new_run_id()
    assert build_without_unit_tests(run_id) == 0
    found = differences(connection, expected(world))
    # reference tables are the full pass's: coalitions' scores and projects may differ until then
    live_tables = ("users", "cursus_users", "projects_users", "achievements_users")
    assert [line for line in found if line.split()[0] in live_tables] == []
