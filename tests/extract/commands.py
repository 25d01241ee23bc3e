"""The extraction's command line, and what it leaves in the database."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import requests
from psycopg2.extensions import connection as Connection
from typer import Typer
from typer.testing import CliRunner, Result

from extract import cli
from extract.base.query import execute
from extract.base.settings import local_directory


def run(*arguments: str, app: Typer = cli.app) -> Result:
    """`python -m extract …`, or that of another app, in this process."""

    def fail(message: str, status: int) -> None:
        print(message)
        raise SystemExit(status)

    # os._exit would end pytest as well
    with patch.object(cli, "fail", fail):
        return CliRunner().invoke(app, list(arguments))


def control(world: str, what: str, body: dict[str, Any]) -> Any:
    """Tell the sandbox what its world or its answers are to do; returns what it did."""
    answer = requests.post(f"{world}/_sandbox/{what}", json=body, timeout=30)
    answer.raise_for_status()
    return answer.json()


def mend(world: str) -> None:
    """Take every fault away."""
    requests.delete(f"{world}/_sandbox/faults", timeout=30).raise_for_status()


def calls(world: str) -> Any:
    """The sandbox's record of the calls since it began or was told to forget them."""
    return requests.get(f"{world}/_sandbox/calls", timeout=10).json()


def forget_calls(world: str) -> None:
    """Have the sandbox count calls anew."""
    requests.delete(f"{world}/_sandbox/calls", timeout=10).raise_for_status()


def ask(connection: Connection, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement."""
    return execute(connection, query, values)


def count(connection: Connection, table: str) -> int:
    """Rows of a raw table."""
    return int(ask(connection, f"select count(*) from raw.{table}")[0][0])


def refuse_updates(connection: Connection, table: str = "users") -> None:
    """Have a load fail when it changes a row of a table of `raw`."""
    ask(
        connection,
        "create function refuse() returns trigger language plpgsql as "
        "$$ begin raise exception 'no'; end $$;"
        f"create trigger refuse before update on raw.{table} execute function refuse()",
    )


def runs(connection: Connection) -> list[tuple[str, str]]:
    """Mode and status of each run."""
    return ask(connection, "select mode, status from ops.runs order by started_at")


def age_listings(seconds: float) -> None:
    """Have what an interrupted run kept be read so long before it was."""
    for path in (local_directory() / "listings").iterdir():
        head, _, rows = path.read_bytes().partition(b"\n")
        finished_at, checksum = head.split()
        path.write_bytes(b"%r %s\n" % (float(finished_at) - seconds, checksum) + rows)
