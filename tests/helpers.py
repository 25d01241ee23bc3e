"""What tests of all folders need: settings, programs to run, statements to ask, a wait."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from extract import embedded
from extract.base import database
from extract.base.query import Statement, execute

ROOT = Path(__file__).resolve().parent.parent


def api(address: str = "http://127.0.0.1:9") -> dict[str, str]:
    """The settings that lead to a sandbox; by default to where nobody answers."""
    credentials = {"FORTYTWO_CLIENT_ID": "sandbox", "FORTYTWO_CLIENT_SECRET": "sandbox"}
    return {"FORTYTWO_API_URL": address, **credentials}


def places(local: str | Path) -> dict[str, str]:
    """The settings of a mirror whose files are in one folder, without a `.env` file."""
    return {
        "FORTYTWO_ENV_FILE": os.devnull,
        "FORTYTWO_LOCAL": str(local),
        "XDG_STATE_HOME": str(local),
    }


def set_variables(patch: pytest.MonkeyPatch, values: Mapping[str, str]) -> None:
    """Set variables of the environment until the patch is undone."""
    for name, value in values.items():
        patch.setenv(name, value)


def run_program(
    *command: str | Path, folder: Path = ROOT, bare: bool = False, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end.

    Args:
        bare: Give it nothing of this process's environment but PATH.
        variables: On top of the environment's.
    """
    inherited = {"PATH": os.environ["PATH"]} if bare else os.environ
    return subprocess.run(
        command,
        cwd=folder,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def run_module(
    *arguments: str, folder: Path = ROOT, bare: bool = False, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a module of this project or of a package, as `python -m` does."""
    return run_program(sys.executable, "-m", *arguments, folder=folder, bare=bare, **variables)


def sql(statement: Statement, *values: Any, name: str = "") -> list[tuple[Any, ...]]:
    """Run a statement in a session of its own, in the environment's or another database."""
    with database.session("test", name) as connection:
        return execute(connection, statement, values or None)


def wait_for(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def administer(server: Mapping[str, str], statement: str) -> None:
    """Run statements as the superuser, in the database that is named with the server."""
    with closing(connect(server)) as connection:
        execute(connection, statement)


def connect(server: Mapping[str, str]) -> Connection:
    """A session in autocommit mode at the server that these libpq variables name."""
    connection = psycopg2.connect(
        host=server["PGHOST"],
        port=server["PGPORT"],
        user=server["PGUSER"],
        dbname=server["PGDATABASE"],
    )
    connection.autocommit = True
    return connection


def embedded_server(local: Path) -> dict[str, str]:
    """The libpq variables of the embedded server in a folder."""
    return {
        "PGHOST": str(embedded.socket_directory(local)),
        "PGPORT": str(embedded.PORT),
        "PGUSER": embedded.NAME,
        "PGDATABASE": embedded.NAME,
    }
