"""Fixtures: a crontab that is nobody's, and a schema `ops` to put a past into."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from extract.base import database, logs
from extract.load.record import create_schema

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
def no_settings_of_the_developers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside those that every test is kept from (tests/conftest.py)."""
    for name in list(os.environ):
        if name.startswith(("SCHEDULE_", "BACKUP_", "WEBHOOK_", "METRICS_")):
            monkeypatch.delenv(name)


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
    connection = _connect()
    create_schema(connection)
    yield connection
    connection.close()


def _connect() -> Connection:
    return database.connect("fortytwo-mirror test", autocommit=True)
