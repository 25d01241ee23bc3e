"""A fresh small world and an empty database for whole extractions through the command line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection as Connection

from extract import cli
from extract.base import database as databases


@pytest.fixture
def world(fresh_sandbox: str, database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FORTYTWO_API_URL", fresh_sandbox)
    monkeypatch.setenv("FORTYTWO_CLIENT_ID", "sandbox")
    monkeypatch.setenv("FORTYTWO_CLIENT_SECRET", "sandbox")

    def fail(message: str, status: int) -> None:
        print(message)
        raise SystemExit(status)

    # os._exit would end pytest as well
    monkeypatch.setattr(cli, "fail", fail)
    return fresh_sandbox


@pytest.fixture
def connection(world: str) -> Iterator[Connection]:
    made = databases.connect("test", autocommit=True)
    yield made
    made.close()
