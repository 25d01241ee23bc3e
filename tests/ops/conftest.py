"""Fixtures: a crontab that is nobody's, and a schema `ops` to put a past into."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection
from rich.console import Console

from extract.base import database as databases
from extract.base import logs
from extract.base.query import execute
from extract.load.record import create_schema
from ops.status.status import Status
from ops.status.verdict import Verdict, judge
from ops.status.view import print_status

STAND_IN = """#!/bin/sh
# Does what crontab does: keeps a file, prints it, and says when there is none.
store='{store}'
case "$1" in
-l) [ -f "$store" ] && cat "$store" || {{ echo "no crontab for tester" >&2; exit 1; }} ;;
-) cat >"$store" ;;
*) echo "usage error" >&2; exit 1 ;;
esac
"""
REAL = """#!/bin/sh
# The real program, on the crontab of a user who has none and whose jobs no daemon here runs.
exec {program} -u nobody "$@"
"""


@pytest.fixture(autouse=True)
def closed_log() -> Iterator[None]:
    yield
    logs.stop()


@pytest.fixture(autouse=True)
def commands_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing command ends its process at once; here it is called in pytest's."""
    monkeypatch.setattr(os, "_exit", sys.exit)


@pytest.fixture(params=["stand-in", "real"])
def crontab_program(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., str]]:
    """A `crontab` in PATH that holds nothing; called, it puts a text in or tells what is there."""
    program = shutil.which("crontab")
    real = request.param == "real"
    if real and (program is None or os.geteuid() != 0):
        pytest.skip("needs the program crontab, and root to use another user's")
    directory = tmp_path / "bin"
    directory.mkdir()
    script = REAL.format(program=program) if real else STAND_IN.format(store=tmp_path / "crontab")
    (directory / "crontab").write_text(script)
    (directory / "crontab").chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")

    def call(text: str | None = None) -> str:
        argument = "-l" if text is None else "-"
        done = subprocess.run(
            [directory / "crontab", argument], input=text, capture_output=True, text=True
        )
        return done.stdout

    if not real:
        yield call
        return
    with (Path(tempfile.gettempdir()) / "fortytwo-crontab-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # there is one such crontab for all of xdist's processes
        subprocess.run([str(program), "-u", "nobody", "-r"], capture_output=True)
        yield call
        subprocess.run([str(program), "-u", "nobody", "-r"], capture_output=True)


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A .env file with credentials; returns its path."""
    file = tmp_path / "env file"
    file.write_text("FORTYTWO_CLIENT_ID=sandbox\nFORTYTWO_CLIENT_SECRET=sandbox\n")
    monkeypatch.setenv("FORTYTWO_ENV_FILE", str(file))
    return file


@pytest.fixture
def ops(database: dict[str, str]) -> Iterator[Connection]:
    """A connection to a database that has the schema `ops` and nothing in it."""
    with databases.session("test") as connection:
        create_schema(connection)
        yield connection


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


@pytest.fixture
def past(ops: Connection) -> Connection:
    """A mirror with two days behind it."""
    execute(ops, PAST)
    return ops


def ran(
    connection: Connection,
    mode: str,
    status: str,
    hours: float,
    degraded: str | None = None,
    *,
    now: datetime | None = None,
) -> None:
    """Put a run on record that ended so many hours ago."""
    at = (now or datetime.now(UTC)) - timedelta(hours=hours)
    published = at if status == "published" else None
    execute(
        connection,
        "insert into ops.runs "
        "(run_id, mode, status, started_at, finished_at, published_at, degraded) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        (f"{mode}-{hours}-{status}", mode, status, at, at, published, degraded),
    )


def sentences(verdict: Verdict) -> dict[str, str]:
    return {reason.name: reason.sentence for reason in verdict.reasons}


def shown(status: Status, *, terminal: bool = False) -> str:
    file = io.StringIO()
    console = Console(file=file, width=120, force_terminal=terminal, highlight=False)
    print_status(status, judge(status), console)
    return file.getvalue()
