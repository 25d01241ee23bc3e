"""Databases that cannot hold a mirror: named with exit status 2, before any call to the API."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg2
import pytest

from extract import embedded
from extract.base import database as mirror
from extract.base.errors import UsageError
from extract.base.settings import local_directory
from extract.base.sqlstate import explained
from extract.base.usable import require_usable
from extract.cli import exit_status
from extract.embedded.user import as_user, give
from tests.conftest import DATABASE
from tests.extract.commands import run
from tests.helpers import ROOT, administer, set_variables

NO_API = {
    "FORTYTWO_API_URL": "http://127.0.0.1:1",  # whoever calls it fails with status 1
    "FORTYTWO_CLIENT_ID": "id",
    "FORTYTWO_CLIENT_SECRET": "a secret of nobody",
}


def extraction() -> tuple[int, str]:
    """Exit status and words of an extraction whose API cannot be reached."""
    with pytest.MonkeyPatch.context() as patch:
        set_variables(patch, NO_API)
        done = run("run")
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture
def role(postgres_server: dict[str, str], database: dict[str, str]) -> Iterator[str]:
    """A role that is no superuser and owns nothing."""
    administer(postgres_server, "create role powerless login")
    yield "powerless"
    administer(database, "drop owned by powerless")
    administer(postgres_server, "drop owned by powerless; drop role powerless")


def test_a_role_that_may_not_create_schemas(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGUSER", role)

    status, said = extraction()

    assert status == 2, said
    assert f"The role {role} may not create schemas in the database {DATABASE}." in said
    assert f'grant create on database "{DATABASE}" to "{role}"' in said
    assert "Traceback" not in said


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_is_not_utf8(
    encoding: str, postgres_server: dict[str, str], database: dict[str, str]
) -> None:
    administer(postgres_server, f"drop database {DATABASE}")
    administer(
        postgres_server,
        f"create database {DATABASE} template template0 encoding '{encoding}' "
        "locale_provider libc locale 'C'",
    )

    status, said = extraction()

    assert status == 2, said
    assert f"The database {DATABASE} has the encoding {encoding}" in said


def test_a_database_that_is_read_only(database: dict[str, str]) -> None:
    administer(database, f"alter database {DATABASE} set default_transaction_read_only = on")

    status, said = extraction()

    assert status == 2, said
    assert f"The database {DATABASE} is read-only for fortytwo" in said


def test_a_role_whose_foreign_keys_are_off(database: dict[str, str]) -> None:
    administer(database, f"alter database {DATABASE} set session_replication_role = replica")

    with pytest.raises(UsageError, match="session_replication_role is replica"):
        require_usable(mirror.connect("test", autocommit=True))


def test_a_standby(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTYTWO_LOCAL", str(used))
    with mirror.connect("test", autocommit=True).cursor() as cursor:
        cursor.execute("alter system set wal_level = replica")
    for _ in range(2):  # the second time, what is on disk was written so
        embedded.stop(used)
        embedded.start(used)
    embedded.stop(used)
    signal = used / "postgres" / "standby.signal"
    signal.touch()
    give(signal, (used / "postgres").stat().st_uid)
    embedded.start(used)

    status, said = extraction()

    assert status == 2, said
    assert "The server of fortytwo is a standby (in recovery)" in said


@pytest.fixture
def pooler(
    database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """Starts pgbouncer before the test's server, with these settings; PG variables lead to it."""
    program = shutil.which("pgbouncer", path=os.pathsep.join([*os.get_exec_path(), "/usr/sbin"]))
    if program is None:
        pytest.skip("pgbouncer is not installed")
    user = Path(database["PGHOST"]).stat().st_uid  # who alone reaches the socket
    folder = Path(database["PGHOST"]) / "pooler"
    folder.mkdir()
    give(folder, user)
    running: list[subprocess.Popen[bytes]] = []

    def start(settings: str) -> None:
        configuration = folder / "pgbouncer.ini"
        configuration.write_text(
            f"[databases]\n* = host={database['PGHOST']} user=fortytwo\n"
            f"[pgbouncer]\nlisten_addr =\nunix_socket_dir = {folder}\nlisten_port = 6432\n"
            f"auth_type = any\n{settings}"
        )
        give(configuration, user)
        command = as_user(user, Path(program), "-q", str(configuration))
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE))
        deadline = time.monotonic() + 30
        while not (folder / ".s.PGSQL.6432").exists():
            assert running[0].poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        monkeypatch.setenv("PGHOST", str(folder))
        monkeypatch.setenv("PGPORT", "6432")

    yield start
    for process in running:
        process.terminate()
        process.wait(10)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("pool_mode = transaction", "unsupported startup parameter"),
        ("pool_mode = session", "unsupported startup parameter"),
        (
            "pool_mode = transaction\nignore_startup_parameters = options",
            "A connection pooler in transaction mode gives one session's server process to others",
        ),
        (
            "pool_mode = transaction\ndefault_pool_size = 1\nignore_startup_parameters = options",
            "A connection pooler in transaction mode gives one session's server process to others",
        ),
        (
            "pool_mode = session\nignore_startup_parameters = options",
            "A connection pooler withholds the mirror's settings (PGOPTIONS) from the server.",
        ),
    ],
)
def test_a_connection_pooler(settings: str, named: str, pooler: Callable[[str], None]) -> None:
    pooler(settings)

    status, said = extraction()

    assert status == 2, said
    assert named in said
    assert "give the mirror the server's own host and port" in said


@pytest.mark.parametrize(
    ("statement", "status", "words", "fix"),
    [
        ("select 1 / 0", 1, "(22012): division by zero", "report this"),
        ("select 'jdoe'::int", 1, '(22P02): invalid input syntax for type integer: "…"', "report"),
        ("select * from nowhere", 1, '(42P01): relation "nowhere" does not exist', "report"),
        ("do $$begin raise 'no' using errcode = '42501'; end$$", 2, "(42501): no", "right"),
        ("set local statement_timeout = 1; select pg_sleep(9)", 1, "(57014): canceling", "limit"),
        ("set transaction read only; create table t ()", 2, "(25006): cannot execute", "primary"),
        (
            "do $$begin raise '' using errcode = '53100'; end$$",
            1,
            "database's disk is full",
            "Free",
        ),
        ("select pg_terminate_backend(pg_backend_pid())", 1, "database went away", "server runs"),
    ],
)
def test_what_the_server_says_is_told_with_what_to_do_and_without_data(
    statement: str, status: int, words: str, fix: str, database: dict[str, str]
) -> None:
    connection = mirror.connect("test")
    with pytest.raises(psycopg2.Error) as caught, connection.cursor() as cursor:
        cursor.execute(statement)

    told = explained(caught.value)

    assert (told.exit_status, words in str(told), fix in str(told)) == (status, True, True), told
    assert "jdoe" not in str(told)
    with suppress(psycopg2.Error):
        connection.close()


def test_a_place_that_cannot_be_written(
    database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_file = tmp_path / "file"
    a_file.touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(a_file / "state"))

    status, words = extraction()

    assert status == 2
    assert f"The mirror cannot use {a_file / 'state'}" in words and "Traceback" not in words


def test_without_a_folder_for_temporary_files_they_are_in_the_local_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)

    with exit_status(), tempfile.NamedTemporaryFile() as file:
        assert Path(file.name).parent == local_directory()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_for_which_there_is_no_space(database: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ops", "status"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: No space is left where this command prints or works. Free some and run it again."
    ]
