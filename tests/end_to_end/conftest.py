"""Fixtures: a sandbox whose world may change, an empty database, and dbt that knows the project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from extract import database as databases


@pytest.fixture
def world(
    start_sandbox: Callable[..., str],
    dbt_target: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    address = start_sandbox()
    monkeypatch.setenv("FORTYTWO_API_URL", address)
    monkeypatch.setenv("FORTYTWO_CLIENT_ID", "sandbox")
    monkeypatch.setenv("FORTYTWO_CLIENT_SECRET", "sandbox")
    # tests/dbt runs them; here they would prove the same models again in each build
    monkeypatch.setenv("DBT_EXCLUDE_RESOURCE_TYPES", "unit_test")
    return address


@pytest.fixture
def connection(world: str) -> Iterator[Connection]:
    made = databases.connect("test", autocommit=True)
    yield made
    made.close()
