"""PostgreSQL killed in mid-load and mid-publication, disks full: the next plain run is right."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from extract import embedded
from extract.api.client import Page
from extract.base.errors import MirrorError
from extract.base.query import execute
from extract.listing.listing import Listing
from tests.conftest import short_directory
from tests.end_to_end import oracle
from tests.faults import lab
from tests.faults.lab import Case, Postgres, Ran, Sandbox, heal, run_here
from tests.faults.truth import FULL, RELATIONS, contents, differences
from tests.helpers import connect, embedded_server, set_variables, wait_for

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def home(before: str, postgres: Postgres, sandbox: Sandbox) -> Iterator[Path]:
    """A mirror on an embedded server of its own, which may be killed; `before` is in it."""
    with short_directory() as directory:
        embedded.start(directory)
        own = embedded_server(directory)
        dump = subprocess.Popen(
            [embedded.binary("pg_dump"), "--format=custom", "--no-privileges", before],
            env={**os.environ, **postgres.variables},
            stdout=subprocess.PIPE,
        )
        subprocess.run(
            [embedded.binary("pg_restore"), "--no-owner", f"--dbname={embedded.NAME}"],
            env={**os.environ, **own},
            stdin=dump.stdout,
            check=True,
        )
        assert dump.wait() == 0
        yield directory


@pytest.fixture
def own(home: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """The mirror of `home`; no PG variable is set, so that runs start the server they need."""
    set_variables(monkeypatch, lab.settings_of(sandbox.address, home))
    embedded.start(home)
    connection = connect(embedded_server(home))
    try:
        yield Case(sandbox, embedded.NAME, connection, home)
    finally:
        connection.close()
        sandbox.renew()


@contextmanager
def held(case: Case, table: str) -> Iterator[None]:
    """Let nobody write to a table; the server's death releases it."""
    with closing(connect(embedded_server(case.local))) as blocker:
        execute(blocker, "begin")
        execute(blocker, f"lock table {table} in share mode")
        yield


def writer(case: Case) -> int:
    """The server process that waits to write."""
    waiting = "select pid from pg_locks where not granted and locktype = 'relation'"
    wait_for(lambda: case.ask(waiting), "a writer")
    return int(case.ask(waiting)[0][0])


def kill_server(case: Case) -> None:
    process = embedded.status(case.local).process_id
    assert process
    os.kill(process, signal.SIGKILL)


def in_background(run: Callable[[], Ran]) -> tuple[threading.Thread, list[Ran]]:
    results: list[Ran] = []
    thread = threading.Thread(target=lambda: results.append(run()))
    thread.start()
    return thread, results


@pytest.mark.parametrize("victim", ["backend", "server"])
def test_postgres_is_killed_in_mid_load(victim: str, own: Case) -> None:
    own.sandbox.control("advance", {**lab.LIFE, "seed": victim})
    raw, mirror = contents(own.connection, "raw"), contents(own.connection, "mirror")
    with held(own, "raw.users"):
        thread, results = in_background(lambda: run_here("full"))
        backend = writer(own)
        if victim == "server":
            kill_server(own)
        else:
            os.kill(backend, signal.SIGKILL)
        thread.join(60)
    (ran,) = results
    assert isinstance(ran.error, MirrorError), ran
    assert ran.error.exit_status == 1
    assert "database went away" in str(ran.error)
    assert "\n" not in str(ran.error)

    # no command in between: the next run starts the server if it is down
    again = run_here("full")

    assert again.error is None, again.said
    own.connection = connect(embedded_server(own.local))
    assert contents(own.connection, "mirror") == mirror
    assert contents(own.connection, "raw") != raw
    assert not differences(own.connection, own.sandbox.truth, FULL)


def test_postgres_is_killed_while_the_api_is_read(own: Case) -> None:
    own.sandbox.control("advance", {**lab.LIFE, "seed": 77})
    raw, mirror = contents(own.connection, "raw"), contents(own.connection, "mirror")
    killed: list[Listing] = []

    def kill(listing: Listing, page: Page) -> None:
        if listing.table == "users" and not killed:
            killed.append(listing)
            kill_server(own)

    ran = run_here("full", on_page=kill)

    assert isinstance(ran.error, MirrorError), ran
    assert ran.error.exit_status == 1
    assert "database went away" in str(ran.error)
    embedded.start(own.local)
    own.connection = connect(embedded_server(own.local))
    assert contents(own.connection, "raw") == raw
    assert contents(own.connection, "mirror") == mirror

    heal(own)


def test_postgres_is_killed_in_mid_publication(own: Case) -> None:
    own.sandbox.control("advance", {**lab.LIFE, "seed": 99})
    mirror = contents(own.connection, "mirror")
    with held(own, "mirror.achievements_users"):
        process = own.program("ops", "sync")
        writer(own)
        kill_server(own)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "nothing was published" in said

    status, said = own.run("ops", "sync")

    own.connection = connect(embedded_server(own.local))
    assert status == 0, said
    assert contents(own.connection, "mirror") != mirror
    # the relations' turn comes with the nightly share, which is more than the small world has
    assert not differences(own.connection, own.sandbox.truth, (*FULL, *RELATIONS))
    assert not oracle.differences(own.connection, oracle.expected(own.sandbox.address))
    status, said = own.run("ops", "check")
    assert status == 0, said


def fill(place: Path, leave: int) -> Path:
    """Fill a disk up to so many bytes."""
    ballast = place / "ballast"
    with ballast.open("wb") as file, suppress(OSError):
        while True:
            file.write(b"x" * (1 << 16))
            file.flush()
    free = shutil.disk_usage(place).free
    os.truncate(ballast, max(0, ballast.stat().st_size - leave + free))
    return ballast


@pytest.mark.parametrize("left", [0, 24 << 10, 96 << 10], ids=lambda left: f"{left >> 10} KiB left")
def test_the_disk_of_the_working_files_is_full(
    left: int,
    case: Case,
    small_disk: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = small_disk(16 << 10)  # room for all that a pass keeps on it
    monkeypatch.setenv("FORTYTWO_LOCAL", str(place / "local"))
    monkeypatch.setenv("XDG_STATE_HOME", str(case.local / "state"))
    (place / "local").mkdir()
    raw = contents(case.connection, "raw")
    ballast = fill(place, left)

    status, said = case.run("extract", "run")

    assert status == 1, said
    assert said.splitlines()[-1].startswith("Error: The disk is full: ")
    assert "Traceback" not in said
    assert contents(case.connection, "raw") == raw

    ballast.unlink()
    heal(case)


def test_the_disk_of_the_database_is_full(
    before: str,
    sandbox: Sandbox,
    postgres: Postgres,
    tmp_path: Path,
    small_disk: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = Path(postgres.variables["PGHOST"]).stat()
    place = small_disk(64 << 10, owner.st_uid)
    (place / "data").mkdir()
    os.chown(place / "data", owner.st_uid, owner.st_gid)
    postgres.administer(f"create tablespace small location '{place / 'data'}'")
    try:
        with postgres.copy(f"{before} tablespace small") as name:
            variables = {**lab.settings_of(sandbox.address, tmp_path), **postgres.variables}
            set_variables(monkeypatch, {**variables, "PGDATABASE": name})
            with closing(postgres.connect(name)) as connection:
                raw = contents(connection, "raw")
                ballast = fill(place, 128 << 10)

                ran = run_here("full")

                assert isinstance(ran.error, MirrorError), ran
                assert str(ran.error).startswith("The database's disk is full.")
                assert "\n" not in str(ran.error)
                assert contents(connection, "raw") == raw

                ballast.unlink()
                heal(Case(sandbox, name, connection, tmp_path))
    finally:
        postgres.administer("drop tablespace small")
