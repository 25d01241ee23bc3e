"""Fixtures: a sandbox whose world may change, an empty database, and dbt that knows the project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from extract.base import database as databases
from tests.conftest import build_without_unit_tests
from tests.helpers import api, set_variables


@pytest.fixture
def world(
    fresh_sandbox: str,
    dbt_target: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    set_variables(monkeypatch, api(fresh_sandbox))
    monkeypatch.setattr("ops.sync.dbt_build", build_without_unit_tests)
    return fresh_sandbox


@pytest.fixture
def connection(world: str) -> Iterator[Connection]:
    with databases.session("test") as made:
        yield made
