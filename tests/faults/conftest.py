"""The laboratory: built once, restored for each pytest process, copied for each test."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from extract import embedded
from extract.base.settings import Settings
from extract.tables import TABLES
from tests.conftest import build_without_unit_tests, started_sandbox
from tests.faults import lab
from tests.faults.lab import Case, Postgres, Sandbox
from tests.faults.truth import contents
from tests.helpers import connect, set_variables


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The many short tests last, so that no process is left alone with a long one."""
    items.sort(key=lambda item: item.path.name == "test_api.py")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A small sandbox that every test of this process breaks and mends."""
    with started_sandbox("--next-secret", lab.NEXT_SECRET) as address:
        yield Sandbox(address)


@pytest.fixture(scope="session")
def postgres(postgres_server: dict[str, str]) -> Postgres:
    """The server of this pytest process."""
    return Postgres(postgres_server)


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The target folder of all builds: dbt reads the project once."""
    return tmp_path_factory.mktemp("parsed")


@pytest.fixture(scope="session")
def before(
    sandbox: Sandbox,
    postgres: Postgres,
    parsed: Path,
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
) -> str:
    """A template database: everything was read and published, then the network lived on.

    Made once, whichever pytest process comes first; the others have it from a dump.
    """
    name = "before"
    base = tmp_path_factory.getbasetemp()
    dump = (base if worker_id == "master" else base.parent) / "before.dump"
    with dump.with_suffix(".lock").open("w") as lock, postgres.copy() as made:
        fcntl.flock(lock, fcntl.LOCK_EX)
        variables = {**postgres.variables, "PGDATABASE": made}
        if not dump.exists():
            local = tmp_path_factory.mktemp("before")
            fill({**variables, **lab.settings_of(sandbox.address, local)}, parsed)
            tool(variables, "pg_dump", "--format=custom", f"--file={dump}")
        else:
            # the readers' role is of the other server
            tool(variables, "pg_restore", "--no-privileges", f"--dbname={made}", dump)
        postgres.administer(f"alter database {made} rename to {name}")
    sandbox.live_on()
    return name


def fill(variables: dict[str, str], target: Path) -> None:
    """Read and publish everything in a database."""
    with pytest.MonkeyPatch.context() as environment:
        set_variables(environment, {**variables, "DBT_TARGET_PATH": str(target)})
        for mode in ("full", "backfill"):
            ran = lab.run_here(mode)
            assert ran.error is None, ran.said
        assert build_without_unit_tests("") == 0
    with closing(connect(variables)) as connection:
        lab.stale(connection)


def tool(variables: dict[str, str], name: str, *arguments: str | Path) -> None:
    """Run a program of PostgreSQL."""
    subprocess.run([embedded.binary(name), *arguments], env=os.environ | variables, check=True)


@pytest.fixture(scope="session")
def untouched(before: str, postgres: Postgres) -> dict[str, dict[str, str]]:
    """What `raw` and `mirror` of `before` hold, as digests."""
    with closing(postgres.connect(before)) as connection:
        return {schema: contents(connection, schema) for schema in ("raw", "mirror")}


@pytest.fixture
def case(
    before: str,
    sandbox: Sandbox,
    postgres: Postgres,
    parsed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Case]:
    """A copy of `before`, in the environment of this process and of those it starts."""
    local = tmp_path / "local"
    with postgres.copy(before) as name:
        settings = lab.settings_of(sandbox.address, local)
        set_variables(monkeypatch, {**settings, **postgres.variables, "PGDATABASE": name})
        monkeypatch.setenv("DBT_TARGET_PATH", str(parsed))
        with closing(postgres.connect(name)) as connection:
            yield Case(sandbox, name, connection, local)
        sandbox.renew()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits, and small pages so that short lists have several."""
    monkeypatch.setattr("extract.api.client.LONGEST_BACKOFF", 0.01)
    monkeypatch.setattr("extract.api.auth.LONGEST_BACKOFF", 0.01)
    load = Settings.load.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(
        Settings, "load", classmethod(lambda cls: replace(load(cls), request_timeout=1.0))
    )
    for name, declared in TABLES.items():
        if declared.full in ("whole", "campuses", "students"):
            size = 25 if declared.full == "students" else 4
            monkeypatch.setitem(TABLES, name, replace(declared, page_size=size))
