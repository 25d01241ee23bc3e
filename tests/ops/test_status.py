"""`make status`: what it knows, how it looks, and the metrics made of it."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection
from typer.testing import CliRunner

from extract.api.client import Call
from extract.base import database
from extract.base.errors import MirrorError
from extract.base.lock import run_lock
from extract.base.query import execute
from extract.load.record import Record
from ops.cli import app
from ops.schedule import crontab, heartbeat, scheduler
from ops.schedule.schedule import Schedule
from ops.status import metrics
from ops.status.outcomes import outcome
from ops.status.reporting import report, reported
from ops.status.status import BUILDING, read_status
from ops.status.verdict import judge
from tests.helpers import run_module
from tests.ops.conftest import ran, sentences, shown


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


def test_a_full_pass_that_a_bare_build_published_is_a_good_one(past: Connection) -> None:
    ran(past, "full", "loaded", 1)
    before = read_status(past).last_good["full"]
    ran(past, "build", "published", 0)
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


@pytest.mark.usefixtures("past")
def test_a_terminal_of_no_known_width_is_shown_everything() -> None:
    told = CliRunner().invoke(app, ["status"], env={"COLUMNS": "0"}).output
    assert "make cron-install" in told


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
    assert json.dumps(asdict(status), default=str)


def test_the_schedule_is_read_from_the_crontab(
    past: Connection, crontab_program: Callable[..., str]
) -> None:
    crontab.install(crontab.block(Schedule(), {}))

    status = read_status(past)

    assert status.scheduled_by == "cron"
    assert status.schedule.keys() == {"live", "full", "backup", "check"}
    assert status.schedule["full"].strftime("%H:%M") == "01:00"


def test_backups_out_of_reach_are_said_and_nothing_else_suffers(
    past: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    listed = Path.iterdir

    def unmounted(path: Path) -> Iterator[Path]:
        if path == tmp_path:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return listed(path)

    monkeypatch.setenv("BACKUP_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(Path, "iterdir", unmounted)
    found = sentences(judge(read_status(past)))
    assert f"{tmp_path} cannot be looked at: Stale file handle" in found["backups"]

    monkeypatch.setenv("BACKUP_DIRECTORY", "~nobody-of-that-name/backups")
    assert "nobody knows that home folder" in sentences(judge(read_status(past)))["backups"]


def test_a_schedule_that_nobody_runs_is_no_next_run(
    past: Connection, crontab_program: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    crontab.install(crontab.block(Schedule(), {}))
    monkeypatch.setattr(crontab, "DAEMONS", {"a name that no program has"})

    status = read_status(past)

    assert "no cron daemon runs" in sentences(judge(status))["schedule"]
    assert "live 2" not in shown(status) and "does not run" in shown(status)


def test_who_is_at_work_is_shown(past: Connection) -> None:
    with run_lock("full", "20251121T010000Z-1"):
        assert read_status(past).running == "fortytwo-mirror full 20251121T010000Z-1"


def test_a_run_that_was_killed_is_not_said_to_be_running(past: Connection) -> None:
    execute(
        past,
        "insert into ops.runs (run_id, mode, status) values ('killed', 'full', 'running'), "
        "('by-hand', 'build', 'running')",
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
        record.call(Call("/users", "", 1, 200, 100, "", 0, 500, 1119))
        record.progress("users", 81, 900)
        status = read_status(past)
        record.update(phase=BUILDING)
        building = " ".join(shown(read_status(past)).split())

    assert "build and publish, 81 of 900 calls" in building and "ends about" not in building
    assert "run-1: users, 81 of 900 calls, ends about" in " ".join(shown(status).split())
    assert status.calls["hour"] == 60, "a call counts while its run is at work"


def test_a_database_from_before_an_upgrade_has_a_status_too(ops: Connection) -> None:
    ran(ops, "full", "published", 1)
    execute(
        ops,
        "alter table ops.runs drop column degraded, drop column phase, "
        "drop column planned_calls; alter table ops.application drop column refused_at",
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
    done = run_module("ops", "status", PGDATABASE="no_such_database")

    assert done.returncode == 1
    assert "Cannot connect to PostgreSQL" in done.stderr
    assert "Traceback" not in done.stderr
