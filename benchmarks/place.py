"""Where a benchmark runs: a PostgreSQL of its own, a sandbox of its own, nothing of the user's."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from benchmarks.measure import PYTHON, ROOT
from extract import embedded

OURS = (
    *("FORTYTWO_", "PG", "DBT_", "DESTINATION_", "BACKFILL_", "RECONCILE_"),
    *("ALLOW_DELETES", "MAX_DELETE", "STREAMS", "SEATS_", "EVALUATIONS_"),
)
STARTUP_SECONDS = 900


@dataclass(frozen=True)
class Place:
    """One scratch directory with its embedded server.

    Attributes:
        environment: What a process needs to work here, and nothing of the user's settings.
    """

    local: Path
    environment: dict[str, str]

    def connect(self) -> Connection:
        """A connection that commits each statement."""
        connection = psycopg2.connect(self.address())
        connection.autocommit = True
        return connection

    def address(self) -> str:
        """The server, as libpq wants it named."""
        socket = embedded.socket_directory(self.local)
        name = embedded.NAME
        return f"host={socket} port={embedded.PORT} user={name} dbname={name}"

    def execute(self, statements: str) -> None:
        """Run SQL that returns nothing."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statements)
        finally:
            connection.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall()
        finally:
            connection.close()

    def value(self, query: str) -> Any:
        """The first cell of a query."""
        return self.rows(query)[0][0]


@contextmanager
def place() -> Iterator[Place]:
    """A scratch directory below /tmp (a socket's path must be short) with a running server."""
    with tempfile.TemporaryDirectory(prefix="ftb-", dir="/tmp") as directory:
        local = Path(directory)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(OURS)
        }
        environment |= {
            "FORTYTWO_LOCAL": directory,
            "FORTYTWO_ENV_FILE": os.devnull,
            "FORTYTWO_CLIENT_ID": "sandbox",
            "FORTYTWO_CLIENT_SECRET": "sandbox",
            "XDG_STATE_HOME": str(local / "state"),
            "DBT_TARGET_PATH": str(local / "dbt" / "target"),
            "DBT_LOG_PATH": str(local / "dbt" / "logs"),
            "PWD": str(ROOT),
        }
        embedded.start(local)
        try:
            yield Place(local, environment)
        finally:
            embedded.stop(local)


@contextmanager
def sandbox(at: Place, students: int = 40_335) -> Iterator[str]:
    """The network-scale sandbox without rate limits; yields its address, known in `at` too.

    Other numbers of students grow the network with them (see `benchmarks.grown_sandbox`).
    """
    command = [PYTHON, "-m", "benchmarks.grown_sandbox", str(students)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], STARTUP_SECONDS)
        line = process.stdout.readline() if ready else ""
        if not line.startswith("sandbox ready on "):
            raise RuntimeError("the sandbox did not start")
        address = line.split()[3]
        at.environment["FORTYTWO_API_URL"] = address
        yield address
    finally:
        process.terminate()
        process.wait(20)


def control(address: str, path: str, body: object = None) -> Any:
    """Ask the sandbox's control endpoints."""
    request = urllib.request.Request(
        f"{address}/_sandbox/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)
