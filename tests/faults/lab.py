"""A sandbox whose API breaks on request, a database from before the break, and runs in between."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import requests
from psycopg2.extensions import connection as Connection
from rich.console import Console

from extract import run as runs
from extract.base.lock import new_run_id, run_lock
from extract.base.query import execute
from extract.listing.listing import Listing
from extract.listing.reader import Arrived
from extract.progress import ExtractionProgress
from extract.run import Extracted
from tests.faults.truth import FULL, RELATIONS, Truth, differences
from tests.helpers import ROOT, administer, api, connect, wait_for

NAME = "faults_lab"
NEXT_SECRET = "sandbox-next"
# what happens in the network between the last good run and the one that meets the fault
LIFE = {
    "edit_with_updated_at": 18,
    "edit_silently": 10,
    "delete_users": 2,
    "delete_relations": 6,
    "recreate_relations": 6,
    "new_users": 4,
    "new_relations": 9,
    "seed": 7,
}


class Sandbox:
    """The control side of a sandbox."""

    def __init__(self, address: str, secret: str = NEXT_SECRET) -> None:
        self.address = address
        self.truth = Truth(address, secret)
        self._version: Any = None

    def control(self, what: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST to a control endpoint; the answer."""
        answer = requests.post(f"{self.address}/_sandbox/{what}", json=body or {}, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def live_on(self) -> None:
        """What happens between the last good run and the one that meets the fault."""
        self.control("advance", LIFE)
        self._version = self.truth.version()

    def renew(self) -> None:
        """Bring the world back to where `live_on` left it, if a test has changed it."""
        self.mend()
        self.control("settings", {"latency": 0})
        if self.truth.version() != self._version:
            self.control("reset")
            self.truth.forget()
            self.live_on()

    def break_(self, **fault: Any) -> None:
        """Set a fault."""
        self.control("faults", fault)

    def fired(self) -> list[int]:
        """How often each fault struck so far."""
        answer = requests.get(f"{self.address}/_sandbox/faults", timeout=30).json()
        return [fault["fired"] for fault in answer["faults"]]

    def mend(self) -> None:
        """Take every fault away."""
        requests.delete(f"{self.address}/_sandbox/faults", timeout=30).raise_for_status()

    def forget_calls(self) -> None:
        """Have the log start anew."""
        requests.delete(f"{self.address}/_sandbox/calls", timeout=30).raise_for_status()

    def log(self) -> list[dict[str, Any]]:
        """The calls since `forget_calls`."""
        answer = requests.get(f"{self.address}/_sandbox/calls?log", timeout=30).json()
        found: list[dict[str, Any]] = answer["log"]
        return found

    def calls(self) -> int:
        """Calls on resources so far."""
        answer = requests.get(f"{self.address}/_sandbox/calls", timeout=30).json()
        return int(answer["limited"])


class Progress(ExtractionProgress):
    """Keeps what a person would see, and lets a test act when a page arrives."""

    def __init__(
        self, on_page: Callable[[Listing, Arrived], None] = lambda listing, page: None
    ) -> None:
        self.said = StringIO()
        super().__init__(Console(file=self.said, width=2000))
        self._act = on_page

    def page(self, listing: Listing, page: Arrived) -> None:
        """Show the page, then act."""
        super().page(listing, page)
        self._act(listing, page)


@dataclass
class Ran:
    """One extraction, in this process.

    Attributes:
        error: What ended it; None when it succeeded.
        said: What a person saw, the error's message included.
    """

    done: Extracted | None
    error: BaseException | None
    said: str


def run_here(
    mode: str,
    *,
    campus_ids: Sequence[int] | None = None,
    on_page: Callable[[Listing, Arrived], None] = lambda listing, page: None,
) -> Ran:
    """Extract as `make extract` does, without the second that a new process costs."""
    run_id = new_run_id()
    progress = Progress(on_page)
    try:
        with run_lock(mode, run_id) as connection, progress:
            done = runs.extract(
                mode,
                campus_ids=campus_ids,
                progress=progress,
                connection=connection,
                run_id=run_id,
            )
        return Ran(done, None, progress.said.getvalue() + done.stopped)
    except Exception as error:  # noqa: BLE001 (the tests judge which)
        return Ran(None, error, progress.said.getvalue() + str(error))


def heal(case: Case, *modes: str, tables: Iterable[str] = FULL) -> None:
    """Runs that meet no fault succeed and end equal to the truth."""
    for mode in modes or ("full",):
        ran = run_here(mode)
        assert ran.error is None, ran.said
    assert not differences(case.connection, case.sandbox.truth, tables)


@dataclass
class Postgres:
    """A server for tests, as libpq variables of its maintenance database."""

    variables: dict[str, str]

    def administer(self, statement: str) -> None:
        """Run one statement outside of a transaction."""
        administer({**self.variables, "PGDATABASE": "postgres"}, statement)

    def connect(self, database: str) -> Connection:
        """Connect to a database, in autocommit mode."""
        return connect({**self.variables, "PGDATABASE": database})

    @contextmanager
    def copy(self, template: str = "template0") -> Iterator[str]:
        """A database for one test, dropped at the end; yields its name, the same for all.

        dbt reads the whole project again for a database of another name.
        """
        self.administer(
            f"drop database if exists {NAME} with (force)"
        )  # of a test that was cut off
        # the files and not the log: half the work, where nothing is synced to the disk
        self.administer(f"create database {NAME} template {template} strategy file_copy")
        try:
            yield NAME
        finally:
            self.administer(f"drop database if exists {NAME} with (force)")


@dataclass
class Case:
    """A database with the state of before the fault, and the sandbox it mirrors.

    Attributes:
        environment: What a process of this case gets on top of the test's environment.
    """

    sandbox: Sandbox
    database: str
    connection: Connection
    local: Path
    environment: dict[str, str] = field(default_factory=dict)

    def program(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a Python module of the project as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def run(self, *arguments: str, timeout: float = 120) -> tuple[int, str]:
        """Run a module to its end: exit status and what it said."""
        process = self.program(*arguments)
        try:
            said, _ = process.communicate(timeout=timeout)
        finally:
            process.kill()
        return process.returncode, said

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        return execute(self.connection, query, values)

    def lock_is_free(self, seconds: float = 10) -> None:
        """Wait until PostgreSQL noticed that a killed run's connection is gone."""
        held = "select 1 from pg_locks where locktype = 'advisory' and classid = 42 and objid = 21"
        wait_for(lambda: not self.ask(held), "the lock of a dead run", seconds)


def stale(connection: Connection) -> None:
    """Have the backfill read every student again."""
    relations = "update ops.relation_reads set stale = true where resource = any(%s)"
    execute(connection, relations, (list(RELATIONS),))


def settings_of(address: str, local: Path) -> dict[str, str]:
    """The environment of a run against a sandbox."""
    return {
        **api(address),
        "FORTYTWO_LOCAL": str(local),
        "XDG_STATE_HOME": str(local / "state"),
        "FORTYTWO_ENV_FILE": os.devnull,
    }
