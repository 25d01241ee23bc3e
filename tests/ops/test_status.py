"""`make status`: what it knows, how it looks, and the metrics made of it."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection
from rich.console import Console
from typer.testing import CliRunner

from extract.api.client import Call
from extract.base import database
from extract.base.errors import MirrorError
from extract.base.lock import run_lock
from extract.load.record import Record
from ops.cli import app
from ops.schedule import crontab, heartbeat, pause, scheduler
from ops.schedule.schedule import Schedule
from ops.status import metrics
from ops.status.outcomes import outcome
from ops.status.reporting import report, reported
from ops.status.status import Status, read_status
from ops.status.verdict import Verdict, judge
from ops.status.view import print_status

PAST = """
insert into ops.runs (run_id, mode, status, started_at, finished_at, published_at, calls, rows,
    rejected, changes, message)
values
    ('a', 'full', 'published', now() - interval '30 hours', now() - interval '29 hours',
        now() - interval '29 hours', 1000, '{"users": 300, "campuses": 8}',
        '{"campus_private": 2, "user_campus_not_kept": 7}',
        '{"users": {"inserted": 5, "updated": 2, "deleted": 1}}', null),
    ('b', 'full', 'failed', now() - interval '3 hours', now() - interval '2 hours', null, 17, null,
        null, null, 'The API no longer lists 203 of the 306 rows.'),
    ('c', 'live', 'unchanged', now() - interval '10 minutes', now() - interval '9 minutes', null,
        12, null, null, null, null);
insert into ops.listings (finished_at, run_id, resource, listing, rows, calls, readings)
values (now() - interval '29 hours', 'a', 'campus', 'all', 11, 1, 1);
insert into ops.api_calls (called_at, run_id, path, query, page, status, rows, error, attempt,
    milliseconds, quota_left)
select now() - interval '1 minute' * n, 'c', '/users', '', 1, 200, 100, '', 0, 500, 1000 - n
from generate_series(1, 90) as n;
create schema raw;
create table raw.users (id bigint, kind text, alumni boolean);
insert into raw.users select n, 'student', false from generate_series(1, 400) as n;
create table raw.campus (id bigint);
create schema staging;
create schema intermediate;
create view staging.stg_fortytwo__campuses as select id from raw.campus;
create view intermediate.int_campuses__classified as select id from staging.stg_fortytwo__campuses;
insert into ops.relation_reads (resource, user_id, read_at, checked_at)
select 'projects_users', n, now() - interval '2 hours', now() from generate_series(1, 100) as n;
insert into ops.application
values ('https://api', now() + interval '3 days', now() + interval '1 hour', true, now(), null);
"""


GB = 10**9


@pytest.fixture
def past(ops: Connection) -> Connection:
    """A mirror with two days behind it."""
    with ops.cursor() as cursor:
        cursor.execute(PAST)
    return ops


def sentences(verdict: Verdict) -> dict[str, str]:
    return {reason.name: reason.sentence for reason in verdict.reasons}


def shown(status: Status, *, terminal: bool = False) -> str:
    file = io.StringIO()
    console = Console(file=file, width=120, force_terminal=terminal, highlight=False)
    print_status(status, judge(status), console)
    return file.getvalue()


def test_it_knows_runs_tables_calls_backfill_and_credentials(past: Connection) -> None:
    status = read_status(past)

    assert {run["mode"]: run["status"] for run in status.runs} == {
        "full": "failed",
        "live": "unchanged",
    }
    campuses, users = status.tables
    assert (users["rows"], users["inserted"], users["updated"], users["deleted"]) == (300, 5, 2, 1)
    assert timedelta(hours=28) < status.at - campuses["read_at"] < timedelta(hours=30)
    assert status.rejected == {"campus_private": 2, "user_campus_not_kept": 7}
    assert status.calls["hour"] == 59
    assert status.calls["quota_left"] == 999
    backfill = {row["resource"]: row for row in status.backfill}["projects_users"]
    assert (backfill["students"], backfill["read"], backfill["left_to_read"]) == (400, 100, 300)
    assert backfill["hours_left"] == pytest.approx(6, abs=0.1)  # 100 in two hours
    assert status.running is None


def test_it_says_what_needs_attention_and_what_to_do(past: Connection) -> None:
    with pytest.raises(MirrorError), outcome("backup"):
        raise MirrorError("The disk is full.")

    verdict = judge(read_status(past))

    text = " ".join(reason.sentence for reason in verdict.reasons)
    assert verdict.level == "failing"
    assert "secret expires in 3.0 days" in text
    assert "FORTYTWO_CLIENT_SECRET_NEXT took over" in text
    assert "backup fails since" in text and "The disk is full." in text
    assert "last good full pass ended 29 hours ago" in text and "`make sync`" in text
    assert "make cron-install" in text


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


def test_a_full_pass_that_a_bare_build_published_is_a_good_one(past: Connection) -> None:
    loaded = """
        insert into ops.runs (run_id, mode, status, started_at, finished_at)
        values ('d', 'full', 'loaded', now() - interval '2 hours', now() - interval '1 hour')
    """
    built = """
        insert into ops.runs (run_id, mode, status, started_at, finished_at, published_at)
        values ('e', 'build', 'published', now(), now(), now())
    """
    with past.cursor() as cursor:
        cursor.execute(loaded)
        before = read_status(past).last_good["full"]
        cursor.execute(built)
        after = read_status(past).last_good["full"]

    assert after - before > timedelta(hours=27)


def test_it_fits_on_a_screen_and_has_no_colours_without_a_terminal(past: Connection) -> None:
    text = shown(read_status(past))

    assert "\x1b" not in text
    assert len(text.splitlines()) <= 50
    for fact in ("failed", "unchanged", "users", "100 of 400 students", "done in about 6 h"):
        assert fact in text


def test_colours_are_for_terminals_that_want_them(
    past: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = read_status(past)

    assert "\x1b[" in shown(status, terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shown(status, terminal=True))


def test_json_is_whole_and_has_no_secret(
    past: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("FORTYTWO_CLIENT_ID", "uid")
    monkeypatch.setenv("FORTYTWO_CLIENT_SECRET", "s-s4t2ud-very-secret")

    result = CliRunner().invoke(app, ["status", "--json"])

    document = json.loads(result.output)
    assert document["last_good"].keys() == {"full", "live"}
    assert document["calls"]["hourly_limit"] == 1200
    assert "very-secret" not in result.output


def test_a_fresh_database_says_what_comes_first(database: dict[str, str]) -> None:
    status = read_status()

    assert "Nothing has run yet. Next: `make sync`." in shown(status)
    assert json.dumps(status.document(), default=str)


def test_the_schedule_is_read_from_the_crontab(
    past: Connection, crontab_program: Callable[..., str]
) -> None:
    crontab.install(crontab.block(Schedule(), {}))

    status = read_status(past)

    assert status.scheduled_by == "cron"
    assert status.schedule.keys() == {"live", "full", "backup", "check"}
    assert status.schedule["full"].strftime("%H:%M") == "01:00"


def test_a_schedule_that_nobody_runs_is_no_next_run(
    past: Connection, crontab_program: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    crontab.install(crontab.block(Schedule(), {}))
    monkeypatch.setattr(crontab, "DAEMONS", {"a name that no program has"})

    status = read_status(past)

    assert "no cron daemon runs" in sentences(judge(status))["schedule"]
    assert "live 2" not in shown(status) and "does not run" in shown(status)


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


def test_who_is_at_work_is_shown(past: Connection) -> None:
    with run_lock("full", "20251121T010000Z-1"):
        assert read_status(past).running == "fortytwo-mirror full 20251121T010000Z-1"


def test_a_run_that_was_killed_is_not_said_to_be_running(past: Connection) -> None:
    with past.cursor() as cursor:
        cursor.execute(
            "insert into ops.runs (run_id, mode, status) values ('killed', 'full', 'running'), "
            "('by-hand', 'build', 'running')"
        )

    runs = {run["run_id"]: run["status"] for run in read_status(past).runs}
    assert runs["by-hand"] == "running"
    run = next(run for run in read_status(past).runs if run["run_id"] == "killed")

    assert run["status"] == "failed" and "without a word" in run["message"]
    with run_lock("full", "killed"):
        run = next(run for run in read_status(past).runs if run["run_id"] == "killed")
        assert run["status"] == "running"


def test_a_run_at_work_says_its_phase_its_calls_and_its_end(
    past: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORTYTWO_CLIENT_ID", "uid")
    monkeypatch.setenv("FORTYTWO_CLIENT_SECRET", "secret")
    with run_lock("full", "run-1") as connection:
        record = Record(connection, "run-1")
        record.start("full", allow_deletes=False)
        record.call(Call("/users", "", 1, 200, 100, "", 0.5, 0, 1119))
        record.progress("users", 81, 900)
        status = read_status(past)

    assert "run-1: users, 81 of 900 calls, ends about" in " ".join(shown(status).split())
    assert status.calls["hour"] == 60, "a call counts while its run is at work"


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
    with pytest.raises(MirrorError), outcome("sync full"):
        raise MirrorError("The API is out of reach.")
    before = sentences(judge(read_status(ops)))
    ran(ops, "full", "published", -1 / 3600)
    after = judge(read_status(ops))

    assert "out of reach" in before["sync full"] and "`make sync`" in before["sync full"]
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


def test_a_table_that_a_live_pass_has_read_since_is_well_again(ops: Connection) -> None:
    ran(ops, "full", "published", 2, '{"campus_users": "It answered 500."}')
    ran(ops, "live", "unchanged", 1)
    not_read = read_status(ops).degraded
    listed(ops, "live-1-unchanged", "campus_users")

    assert not_read.keys() == {"campus_users"}
    assert read_status(ops).degraded == {}


def test_a_database_from_before_an_upgrade_has_a_status_too(ops: Connection) -> None:
    ran(ops, "full", "published", 1)
    with ops.cursor() as cursor:
        cursor.execute(
            "alter table ops.runs drop column degraded, drop column phase, "
            "drop column planned_calls; alter table ops.application drop column refused_at"
        )

    with run_lock("full", "full-1-published"):
        status = read_status(ops)

    assert status.unreachable == "" and judge(status).level == "well"


def test_everybody_says_the_same(
    ops: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FORTYTWO_SITE", str(tmp_path / "site"))
    monkeypatch.setenv("METRICS_FILE", str(tmp_path / "mirror.prom"))
    report()
    (tmp_path / "site" / "index.html").write_text("<p><!-- verdict -->old<!-- /verdict --></p>")
    ran(ops, "full", "published", 1)
    heartbeat.beat()
    scheduler.healthy()
    with pytest.raises(MirrorError), reported("restore-drill"):
        raise MirrorError("The backup is damaged.")
    with pytest.raises(MirrorError), reported("sync full"):
        raise MirrorError("The disk is full.")

    status = CliRunner().invoke(app, ["status"]).output
    pages = [(tmp_path / "site" / name).read_text() for name in ("status.html", "index.html")]
    with pytest.raises(MirrorError) as unhealthy:
        scheduler.healthy()

    for text in (status, *pages, str(unhealthy.value)):
        plain = " ".join(text.split())
        assert "restore-drill fails" in plain and "sync full fails" in plain, text
        assert "All is well" not in plain
    assert "<p><!-- verdict --><div" in pages[1] and "old" not in pages[1]
    assert 'level{level="failing"} 1' in (tmp_path / "mirror.prom").read_text()


def test_a_pass_that_failed_before_it_was_on_record_is_a_failure_too(ops: Connection) -> None:
    ran(ops, "full", "published", 1)
    with pytest.raises(MirrorError), outcome("sync backfill"):
        raise MirrorError("The API is out of reach.")

    reasons = {reason.name: reason.level for reason in judge(read_status(ops)).reasons}

    assert reasons == {"sync backfill": "degraded"}


def listed(connection: Connection, run_id: str, table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into ops.listings (finished_at, run_id, resource, listing, rows, calls, "
            "readings) values (now(), %s, %s, 'all', 1, 1, 1)",
            (run_id, table),
        )


def ran(
    connection: Connection, mode: str, status: str, hours: float, degraded: str | None = None
) -> None:
    at = datetime.now(UTC) - timedelta(hours=hours)
    published = at if status == "published" else None
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into ops.runs (run_id, mode, status, started_at, finished_at, published_at) "
            "values (%s, %s, %s, %s, %s, %s)",
            (f"{mode}-{hours}-{status}", mode, status, at, at, published),
        )
        if degraded:
            cursor.execute(
                "update ops.runs set degraded = %s where run_id = %s",
                (degraded, f"{mode}-{hours}-{status}"),
            )


def test_metrics_are_what_prometheus_reads(past: Connection) -> None:
    text = metrics.text(status := read_status(past), judge(status))

    for line in text.splitlines():
        assert re.fullmatch(
            r"# (HELP|TYPE) fortytwo_mirror_\w+ .+"
            r"|fortytwo_mirror_\w+(\{(\w+=\"[^\"]*\",?)+\})? -?[0-9.e+]+",
            line,
        ), line
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], input=text, text=True, check=True)
    assert 'fortytwo_mirror_rows{table="users"} 300\n' in text
    assert 'fortytwo_mirror_run_state{mode="full",state="failed"} 1\n' in text
    assert 'fortytwo_mirror_changes{table="users",action="deleted"} 1\n' in text
    expiry = re.search(r"secret_expiry_time_seconds (\d+)", text)
    soon = datetime.now(UTC) + timedelta(days=3)
    assert expiry and abs(int(expiry[1]) - soon.timestamp()) < 60


def test_the_metrics_file_is_replaced_whole_and_readable_for_the_exporter(
    past: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "mirror.prom"
    file.write_text("old")
    monkeypatch.setenv("METRICS_FILE", str(file))

    report()

    assert file.read_text().endswith("\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir() if "prom" in path.name] == ["mirror.prom"]


def test_reports_that_cannot_be_written_end_nothing(
    past: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("METRICS_FILE", "/nowhere/mirror.prom")
    monkeypatch.setenv("FORTYTWO_SITE", str(tmp_path / "file" / "site"))
    (tmp_path / "file").touch()

    report()


def test_a_database_out_of_reach_is_in_the_metrics_and_on_the_page(
    past: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("METRICS_FILE", str(tmp_path / "mirror.prom"))
    monkeypatch.setenv("FORTYTWO_SITE", str(tmp_path / "site"))
    monkeypatch.setenv("PGDATABASE", "no_such_database")

    report()

    assert 'level{level="failing"} 1' in (tmp_path / "mirror.prom").read_text()
    page = (tmp_path / "site" / "status.html").read_text()
    assert "All is well" not in page and "no_such_database" in page


def test_a_job_that_failed_for_the_database_out_of_reach_does_not_say_it_again(
    past: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", "1")
    with pytest.raises(MirrorError), reported("sync full"):
        database.connect("a sync")

    reasons = [reason.sentence for reason in judge(read_status()).reasons]

    assert [("Connection refused." in said, "out of reach" in said) for said in reasons[:2]] == [
        (True, False),
        (False, True),
    ]
    assert not any("Is the server running" in said for said in reasons)


def test_a_database_out_of_reach_is_one_sentence_and_status_one(
    database: dict[str, str],
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops", "status"],
        env={**os.environ, "PGDATABASE": "no_such_database"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert "Cannot connect to PostgreSQL" in done.stderr
    assert "Traceback" not in done.stderr
