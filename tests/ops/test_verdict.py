"""The verdict: what counts as well, degraded and failing, until when, and what is said of it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection
from typer.testing import CliRunner

from extract.base.errors import MirrorError
from extract.base.query import execute
from extract.load.record import Record
from ops.cli import app
from ops.schedule import crontab, heartbeat, pause
from ops.schedule.schedule import Schedule
from ops.status import metrics
from ops.status.outcomes import outcome
from ops.status.status import read_status
from ops.status.verdict import judge
from tests.ops.conftest import ran, sentences, shown

GB = 10**9


@pytest.mark.parametrize(
    ("free", "level"), [(4 * GB, "degraded"), (6 * GB, "well"), (19 * GB, "degraded")]
)
def test_a_disk_that_may_not_hold_a_build_and_a_backup_is_named(
    past: Connection, free: int, level: str
) -> None:
    status = read_status(past)
    status.disk = {"free_bytes": free, "total_bytes": 100 * GB}
    status.database["bytes"] = 10 * GB if free > 10 * GB else 1000

    (disk,) = (finding for finding in judge(status).findings if finding.name == "disk")

    assert disk.level == level


@pytest.mark.parametrize(
    ("written", "hours", "said"),
    [
        ("{dead}\ngit checkout v0.1.0\n", 1, "or go back (`git checkout v0.1.0 && make sync`)"),
        ("", 1, "run `make upgrade` again. `rm "),
        ("{alive}\ngit checkout v0.1.0\n", 1, ""),  # at work: that is no fault
        ("{dead}\n", 6.1, ""),  # the schedule does not wait any more
    ],
)
def test_an_upgrade_that_was_killed_and_left_the_schedule_waiting_is_named(
    written: str,
    hours: float,
    said: str,
    past: Connection,
    crontab_program: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    killed = subprocess.Popen(["true"])
    killed.wait()
    file = tmp_path / ".paused"
    file.write_text(written.format(dead=killed.pid, alive=os.getpid()))
    os.utime(file, (0, time.time() - hours * 3600))
    monkeypatch.setattr(pause, "FILE", file)

    nothing_scheduled = read_status(past)
    crontab.install(crontab.block(Schedule(), {}))
    monkeypatch.setattr(crontab, "daemon_runs", lambda: True)
    status = read_status(past)

    assert nothing_scheduled.schedule_stopped == ""
    if not said:
        assert "schedule" not in sentences(judge(status))
        return
    told = " ".join(CliRunner().invoke(app, ["doctor"]).output.split())
    for text in (sentences(judge(status))["schedule"], told):
        assert said in text and f"`rm {file}`" in text
    assert "The schedule waits until" in shown(status) and "does not run" in shown(status)


def test_a_scheduler_that_fell_silent_is_said_to_be(past: Connection) -> None:
    heartbeat.beat()
    os.utime(heartbeat.heartbeat(), (0, 0))

    assert "last sign of life" in sentences(judge(read_status(past)))["schedule"]


@pytest.mark.parametrize(
    ("mode", "mended_by", "level"),
    [
        ("full", "full", "failing"),
        ("campuses", "full", "degraded"),
        ("live", "full", "degraded"),
        ("build", "live", "failing"),
    ],
)
def test_a_failure_counts_until_a_later_run_has_mended_it(
    mode: str, mended_by: str, level: str, ops: Connection
) -> None:
    ran(ops, "full", "published", 5)
    ran(ops, mode, "failed", 2)
    before = judge(read_status(ops))
    ran(ops, mended_by, "published", 1)
    after = judge(read_status(ops))

    assert (before.level, after.level) == (level, "well"), (before.reasons, after.reasons)


def test_a_job_that_failed_before_it_had_a_run_counts_too(ops: Connection) -> None:
    ran(ops, "full", "published", 5)
    with pytest.raises(MirrorError), outcome("sync backfill"):
        raise MirrorError("The API is out of reach.")
    (reason,) = judge(read_status(ops)).reasons
    ran(ops, "backfill", "loaded", -1 / 3600)
    after = judge(read_status(ops))

    assert (reason.name, reason.level) == ("sync backfill", "degraded")
    assert "out of reach" in reason.sentence and "MODE=backfill`" in reason.sentence
    assert after.level == "well", after.reasons


def test_a_secret_that_the_api_refuses_is_not_good_for_days(past: Connection) -> None:
    Record(past, "x").refused("https://api")
    status = read_status(past)

    assert judge(status).level == "failing"
    assert "refuses the application's credentials" in sentences(judge(status))["secret"]
    assert "secret good for" not in shown(status)


def test_a_secret_that_has_expired_is_not_good_for_days(past: Connection) -> None:
    status = read_status(past)
    assert status.application
    status.application["secret_valid_until"] = status.at - timedelta(days=1)

    assert "secret expired on 20" in shown(status) and "secret good for" not in shown(status)


def test_time_alone_makes_a_mirror_late_and_then_overdue(ops: Connection) -> None:
    ran(ops, "full", "published", 0)
    now = datetime.now(UTC)

    levels = [judge(read_status(ops, now + timedelta(hours=h))).level for h in (1, 27, 40)]
    verdict = judge(read_status(ops, now))

    assert levels == ["well", "degraded", "failing"]
    assert verdict.degraded_at and verdict.failing_at
    assert now < verdict.degraded_at < verdict.failing_at


def test_a_pass_of_some_campuses_is_no_full_pass(ops: Connection) -> None:
    ran(ops, "full", "failed", 30)
    ran(ops, "campuses", "published", 28)
    alone = sentences(judge(read_status(ops)))
    ran(ops, "full", "published", 27)
    ran(ops, "campuses", "published", 1)
    verdict = judge(read_status(ops))

    assert "The last good pass of some campuses ended 28 hours ago" in alone["freshness"]
    assert "sync full" in alone
    assert verdict.level == "degraded"
    assert "The last good full pass ended 27 hours ago" in sentences(verdict)["freshness"]


def test_where_live_passes_are_scheduled_their_absence_is_noticed_in_hours(
    ops: Connection,
) -> None:
    heartbeat.beat()
    ran(ops, "full", "published", 3)

    verdict = judge(read_status(ops))
    ran(ops, "live", "unchanged", 0.2)

    assert verdict.level == "degraded" and "freshness" in sentences(verdict)
    assert "freshness" not in sentences(judge(read_status(ops)))


def test_a_table_that_a_pass_left_out_is_degraded_until_a_pass_has_read_it(
    ops: Connection,
) -> None:
    ran(ops, "full", "published", 2, '{"achievements_users": "It answered 500."}')
    ran(ops, "full", "unchanged", 1)  # without the backfill: it did not read the table
    before = read_status(ops)
    ran(ops, "full", "unchanged", 0)
    listed(ops, "full-0-unchanged", "achievements_users")
    after = read_status(ops)

    reason = sentences(judge(before))["table achievements_users"]
    assert "It answered 500." in reason and "`make sync`" in reason
    assert judge(before).level == "degraded" and judge(after).level == "well"
    assert 'table_degraded{table="achievements_users"} 1' in metrics.text(before, judge(before))


def listed(connection: Connection, run_id: str, table: str) -> None:
    execute(
        connection,
        "insert into ops.listings (finished_at, run_id, resource, listing, rows, calls, "
        "readings) values (now(), %s, %s, 'all', 1, 1, 1)",
        (run_id, table),
    )
