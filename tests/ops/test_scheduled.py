"""The jobs of the schedule: what a live pass becomes after missed nights, and what is quiet."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pyrage  # type: ignore[import-untyped]
import pytest
from psycopg2.extensions import connection as Connection

from extract.base.errors import BusyError, MirrorError, UsageError
from extract.base.lock import PAUSE, run_lock
from ops.backup import archive
from ops.schedule import scheduled
from ops.status.outcomes import last_outcomes
from tests.helpers import run_module
from tests.ops import conftest

NOW = datetime(2025, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch, credentials: Path) -> list[str]:
    """What was done, in order, instead of talking to the API."""
    found: list[str] = []

    def sync(mode: str, **_: object) -> int:
        found.append(f"{mode} {os.environ.get('BACKFILL_CALLS', '-')}")
        return 0

    monkeypatch.delenv("BACKFILL_CALLS", raising=False)
    monkeypatch.setattr(scheduled, "sync", sync)
    monkeypatch.setattr(scheduled, "backup", lambda **_: found.append("backup"))
    monkeypatch.setattr(scheduled, "drill", lambda: found.append("drill"))
    return found


ran = partial(conftest.ran, now=NOW)


def backed_up(hours: float) -> None:
    path = archive.new_path(archive.folder(), "fortytwo", NOW - timedelta(hours=hours))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")


def test_a_folder_of_backups_out_of_reach_is_the_backups_own_failure(
    ops: Connection, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(ops, "full", "published", 11)
    monkeypatch.setenv("BACKUP_DIRECTORY", "~nobody-of-that-name/backups")

    scheduled.live(NOW)

    assert done[:2] == ["live 200", "backup"]


def test_a_live_pass_takes_the_left_over_calls_along(ops: Connection, done: list[str]) -> None:
    ran(ops, "full", "published", 11)
    backed_up(9)

    scheduled.live(NOW)

    assert done == ["live 200"]


def test_in_the_hour_before_the_full_pass_it_leaves_them(
    ops: Connection, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(ops, "full", "unchanged", 11)
    backed_up(9)
    monkeypatch.setenv("SCHEDULE_FULL", "12:50")

    scheduled.live(NOW)

    assert done == ["live 0"]


def test_a_number_of_the_operators_own_counts(
    ops: Connection, done: list[str], credentials: Path
) -> None:
    ran(ops, "full", "published", 11)
    backed_up(9)
    credentials.write_text(f"{credentials.read_text()}BACKFILL_CALLS=50\n")

    scheduled.live(NOW)

    assert done == ["live -"]  # extract reads it from the file


@pytest.mark.parametrize("hours", [27, 300])
def test_after_missed_nights_it_does_a_full_pass_and_the_backup(
    hours: float, ops: Connection, done: list[str]
) -> None:
    ran(ops, "full", "published", hours)
    backed_up(hours)

    scheduled.live(NOW)

    assert done == ["full -", "backup", "drill"]
    assert last_outcomes()["sync full"].status == "ok"


def test_a_full_pass_that_failed_is_tried_again_after_four_hours_not_before(
    ops: Connection, done: list[str]
) -> None:
    ran(ops, "full", "published", 30)
    ran(ops, "full", "failed", 3)
    backed_up(9)

    scheduled.live(NOW)
    assert done == []
    scheduled.live(NOW + timedelta(hours=2))
    assert done == ["full -"]


def test_a_fresh_installation_begins_with_a_full_pass(
    database: dict[str, str], done: list[str]
) -> None:
    scheduled.live(NOW)

    assert done == ["full -", "backup", "drill"]


def test_once_a_week_the_backup_is_proved_by_a_drill(ops: Connection, done: list[str]) -> None:
    today = datetime.now(UTC)
    for day in range(8):
        scheduled.save(today + timedelta(days=day))

    assert [day for day, job in enumerate(" ".join(done).split("backup")) if "drill" in job] == [
        1,
        8,
    ]


def test_a_drill_that_failed_is_done_again_with_the_next_backup(
    ops: Connection, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged() -> None:
        raise MirrorError("damaged")

    monkeypatch.setattr(scheduled, "drill", damaged)
    with pytest.raises(MirrorError, match="damaged"):
        scheduled.save()
    assert last_outcomes()["restore-drill"].status == "failed"
    monkeypatch.setattr(scheduled, "drill", lambda: done.append("drill"))
    scheduled.save()

    assert done == ["backup", "backup", "drill"]


@pytest.mark.parametrize("days", ["7", "0"])
def test_no_drill_where_it_is_not_wanted_or_the_key_is_elsewhere(
    days: str, ops: Connection, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKUP_DRILL_DAYS", days)
    if days != "0":
        key = pyrage.x25519.Identity.generate()
        monkeypatch.setenv("BACKUP_AGE_RECIPIENT", str(key.to_public()))

    scheduled.save()

    assert done == ["backup"]


def test_a_nightly_pass_waits_for_the_one_at_work(
    ops: Connection, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    answers = [BusyError("busy"), BusyError("busy")]

    def sync(mode: str, **_: object) -> int:
        if answers:
            raise answers.pop()
        done.append(mode)
        return 0

    monkeypatch.setattr(scheduled, "sync", sync)
    monkeypatch.setattr("extract.base.lock.time.sleep", waits.append)

    scheduled.full()

    assert done == ["full"]
    assert waits.count(PAUSE) == 2


def test_a_scheduled_run_never_mirrors_the_sandbox(database: dict[str, str]) -> None:
    for job in (scheduled.live, scheduled.full):
        with pytest.raises(UsageError, match="never mirrors the sandbox"):
            job()


def test_a_database_out_of_reach_is_a_failed_pass(
    ops: Connection, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATABASE", "no_such_database")

    with pytest.raises(MirrorError, match="Cannot connect"):
        scheduled.live(NOW)

    assert last_outcomes()["sync live"].status == "failed"


def test_a_check_that_fails_says_what_it_found(ops: Connection) -> None:
    with pytest.raises(MirrorError, match=r"The check failed: .*run `make sync`"):
        scheduled.check()

    assert last_outcomes()["check"].status == "failed"


def test_a_run_that_finds_the_lock_taken_is_quiet_and_says_75(
    ops: Connection, credentials: Path
) -> None:
    conftest.ran(ops, "full", "published", 0)
    with run_lock("full", "20251121T010000Z-1"):
        done = run_module("ops", "scheduled", "live")

    assert (done.returncode, done.stdout, done.stderr) == (75, "", "")


def test_a_failing_job_says_so_for_crons_mail(database: dict[str, str], credentials: Path) -> None:
    done = run_module("ops", "scheduled", "backup")

    assert done.returncode == 1
    assert done.stderr.startswith("Error: ") and "make sync" in done.stderr
