"""Fixtures: a PostgreSQL of the tests' own, a database for each test, the sandbox as a process."""

from __future__ import annotations

import gc
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from shutil import disk_usage

import psutil
import pytest
import requests
import yaml

from extract import embedded
from extract.base.folders import MARK
from extract.programs import DBT
from ops.sync import dbt_build
from tests.helpers import ROOT, administer, embedded_server, run_program, set_variables

# The tables of `mirror`.
PUBLISHED: list[str] = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"][
    "published_tables"
]
OURS = re.compile(
    r"(FORTYTWO_|PG|DBT_|ALLOW_DELETES$|MAX_DELETE_FRACTION$|[A-Z]+_RETENTION_DAYS$"
    r"|STREAMS$|BACKFILL_CALLS$|RECONCILE_DAYS$|SCHEDULE_|BACKUP_|RESTORE_|WEBHOOK_|HEARTBEAT_"
    r"|METRICS_FILE$)"
)

# Where servers keep their files: in memory where there is room (bytes), else on the disk.
SHORT = (Path("/dev/shm"), Path("/tmp"))
ROOM = 4e9

# One name for all: for a database of another name dbt reads the whole project again.
DATABASE = "test_mirror"

# For dbt, where a build would prove the same models again that tests/dbt proves.
WITHOUT_UNIT_TESTS = ("--exclude-resource-type", "unit_test")


def build_without_unit_tests(run_id: str, **_: object) -> int:
    """A sync's build, but for them; returns dbt's exit status."""
    return dbt_build(run_id, *WITHOUT_UNIT_TESTS)


# Tests that share what takes long to make: one pytest process makes it.
TOGETHER = {
    "publication/": "builds",
    "dbt/": "builds",
    "extract/test_tables.py": "builds",
    "end_to_end/": "",  # each file by itself
    "site/": "site",
    "sandbox/test_worlds.py": "network",
}
# Databases that several passes fill, and an installation: one pytest process makes each of them.
MADE_ONCE = {"filled_world", "agenda_world", "edited_world", "installed"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--network",
        action="store_true",
        help="compare the engines over a network of 40,335 students (tests/second_engine; 2 hours)",
    )


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if config.option.network:
            item.add_marker(pytest.mark.timeout(0), append=False)
        for state in MADE_ONCE.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(state))
        for start, group in TOGETHER.items():
            if _place(item).startswith(start) and not item.get_closest_marker("xdist_group"):
                item.add_marker(pytest.mark.xdist_group(group or _place(item)))
        if COVERED.match(_place(item)):
            item.add_marker(pytest.mark.covered)


def pytest_collection_finish() -> None:
    """What is imported and collected stays: the garbage collector need not look at it again."""
    gc.freeze()
    gc.set_threshold(50_000)


# Where coverage looks (make test COVERAGE=1): dbt and whole passes take twice the time when traced,
# and of the passes others than these run through the same code.
WHOLE_PASSES = r"extract/test_(completeness|degraded|streams|windows)"
COVERED = re.compile(rf"(?!{WHOLE_PASSES})(extract/|ops/test_logs\.py|test_\w+\.py)")
# It looks into processes of these tests too.
COVERED_CHILDREN = ("test_embedded.py", "test_programs.py", "test_foreign_files.py")


@pytest.fixture(scope="session", autouse=True)
def tracing() -> str:
    """What coverage hands to child processes, withheld: traced, dbt takes twice the time."""
    return os.environ.pop("COVERAGE_PROCESS_CONFIG", "")


def _place(of: pytest.FixtureRequest | pytest.Item) -> str:
    """The test's file, below tests/."""
    return of.path.relative_to(ROOT / "tests").as_posix()


@pytest.fixture(autouse=True)
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest, tracing: str
) -> Iterator[None]:
    """No setting of the developer's reaches a test, in `.env` or `.local` or of the terminal.

    Neither does what the mirror puts into the environment for libpq reach the tests after it.
    """
    if tracing and _place(request).startswith(COVERED_CHILDREN):
        monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", tracing)
    for name in list(os.environ):
        if OURS.match(name):
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORTYTWO_ENV_FILE", os.devnull)
    monkeypatch.setenv("FORTYTWO_LOCAL", str(tmp_path / "local"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    known = set(os.environ)
    yield
    for name in os.environ.keys() - known:
        del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> None:
    """What runs in the background, or by nohup, ignores signals, and what it starts would too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def end_leftover_servers() -> None:
    """End the servers of tests that were killed and could not do it themselves."""
    for directory in (found for place in SHORT for found in place.glob("ftm-*-*")):
        process_id = directory.name.split("-")[1]
        try:
            ours = os.geteuid() in (0, directory.stat().st_uid)
        except FileNotFoundError:  # another pytest has just done with it
            continue
        if ours and not psutil.pid_exists(int(process_id)):
            embedded.stop(directory)
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def short_directory(room: float = ROOM) -> Iterator[Path]:
    """A directory whose name leaves room for a socket's; pytest's own are too long."""
    # a disk takes a third of the time for the many files of databases that come and go
    memory, disk = SHORT
    place = memory if memory.is_dir() and disk_usage(memory).free > room else disk
    directory = Path(tempfile.mkdtemp(prefix=f"ftm-{os.getpid()}-", dir=place))
    try:
        yield directory
    finally:
        embedded.stop(directory)
        shutil.rmtree(directory)


@pytest.fixture
def local() -> Iterator[Path]:
    """A place for an embedded server that this test starts, kills and damages."""
    with short_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """The data directory of a server that ran and was stopped, to be copied."""
    with short_directory() as directory:
        embedded.start(directory)
        embedded.stop(directory)
        yield directory / "postgres"


@pytest.fixture
def used(local: Path, cluster: Path) -> Path:
    """A place in which an embedded server has been before; cheaper than a new one."""
    shutil.copytree(cluster, local / "postgres")
    (local / MARK).touch()
    return local


@pytest.fixture
def small_disk() -> Iterator[Callable[..., Path]]:
    """Mounts a disk of so many KiB for a user; skips where mounting is not permitted."""
    mounted: list[Path] = []

    def mount(kibibytes: int, owner: int = os.geteuid()) -> Path:
        place = Path(tempfile.mkdtemp(prefix="ftm-", dir="/tmp"))
        options = f"size={kibibytes}k,uid={owner},gid={owner},mode=0700"
        done = run_program("mount", "-t", "tmpfs", "-o", options, "tmpfs", place)
        if done.returncode:
            place.rmdir()
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "--lazy", place], check=True)
        place.rmdir()


@pytest.fixture(scope="session")
def network(pytestconfig: pytest.Config) -> bool:
    """Whether the engines are to be compared over a whole network."""
    return bool(pytestconfig.option.network)


@pytest.fixture(scope="session")
def postgres_server(network: bool) -> Iterator[dict[str, str]]:
    """A running server, one for each pytest process, as libpq variables."""
    with short_directory(inf if network else ROOM) as directory:
        embedded.start(directory)
        server = {**embedded_server(directory), "PGDATABASE": "postgres"}
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # nothing is kept
            administer(server, f"alter system set {setting} to off")
        if not network:
            # a vacuum in the background holds up who empties a table for a second
            administer(server, "alter system set autovacuum_naptime to '1d'")
        administer(server, "select pg_reload_conf()")
        yield server


@pytest.fixture
def database(
    postgres_server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """An empty database of this test's own: its libpq variables, set in the environment too."""
    name = DATABASE
    administer(postgres_server, f"drop database if exists {name} with (force)")
    # without fsync, copied files take a quarter of what PostgreSQL's default takes
    administer(postgres_server, f"create database {name} template template0 strategy file_copy")
    variables = {**postgres_server, "PGDATABASE": name}
    set_variables(monkeypatch, variables)
    try:
        yield variables
    finally:
        administer(postgres_server, f"drop database {name} with (force)")


@dataclass(frozen=True)
class Parsed:
    """What dbt remembers of the project once it has read it, and what it said of it."""

    memory: Path
    said: str


@pytest.fixture(scope="session")
def parsed_project(
    postgres_server: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Parsed:
    """The project as dbt reads it, which takes it eight seconds."""
    target = tmp_path_factory.mktemp("parsed")
    variables = postgres_server | {
        "PGDATABASE": DATABASE,
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
        "FORTYTWO_ENV_FILE": os.devnull,
    }
    options = ("--no-use-colors", "--warn-error", "parse", "--show-all-deprecations")
    done = run_program(*DBT, *options, **variables)
    assert done.returncode == 0, done.stdout
    return Parsed(target / "partial_parse.msgpack", done.stdout)


@pytest.fixture
def dbt_target(
    parsed_project: Parsed,
    database: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Path:
    """Where dbt puts what it makes in this test, set in the environment; it knows the project."""
    target = tmp_path / "target"
    target.mkdir()
    shutil.copy(parsed_project.memory, target)
    monkeypatch.setenv("DBT_TARGET_PATH", str(target))
    monkeypatch.setenv("DBT_LOG_PATH", str(target))
    return target


@pytest.fixture(scope="session")
def start_sandbox() -> Iterator[Callable[..., str]]:
    """Start sandboxes as a user would: `start_sandbox(latency=0.5)` returns the address.

    Every call is a server of its own with a fresh world; all end with the session.
    """
    with ExitStack() as running:

        def start(*, scale: str = "small", limits: str = "fast", latency: float = 0) -> str:
            options = ("--scale", scale, "--limits", limits, "--latency", str(latency))
            return running.enter_context(started_sandbox(*options))

        yield start


@pytest.fixture(scope="session")
def sandbox(start_sandbox: Callable[..., str]) -> str:
    """The address of a small sandbox that tests share: for reading, not for changing its world."""
    return start_sandbox()


@pytest.fixture(scope="session")
def own_sandbox(start_sandbox: Callable[..., str]) -> str:
    """The one that `fresh_sandbox` hands on."""
    return start_sandbox()


@pytest.fixture
def fresh_sandbox(own_sandbox: str) -> str:
    """The address of a small sandbox as just started, whose world the test may change."""
    requests.post(f"{own_sandbox}/_sandbox/reset", timeout=30).raise_for_status()
    return own_sandbox


@contextmanager
def started_sandbox(*options: str) -> Iterator[str]:
    """A sandbox of one's own on a free port; yields its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 60)[0], "the sandbox did not start"
        line = process.stdout.readline()
        ready = re.match(r"sandbox ready on (http://\S+)", line)
        assert ready, line + process.stdout.read()
        # whatever it prints later must not fill the pipe
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield ready[1]
    finally:
        process.terminate()
        process.wait(10)
