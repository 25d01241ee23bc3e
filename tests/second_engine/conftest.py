"""One extraction from the sandbox, built on PostgreSQL, for every engine that copies it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from extract.tables.streams import STREAMS
from tests.conftest import build_without_unit_tests
from tests.end_to_end.oracle import days_since
from tests.extract.commands import run
from tests.helpers import administer, api, places, set_variables

NAME = "second_engine"


@pytest.fixture(scope="session")
def built_database(
    start_sandbox: Callable[..., str],
    postgres_server: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    network: bool,
) -> dict[str, str]:
    """The libpq variables of a database with all streams of the sandbox, models built."""
    administer(postgres_server, f"create database {NAME} template template0")
    variables = {**postgres_server, "PGDATABASE": NAME}
    settings = {
        **variables,
        **api(start_sandbox(scale="network" if network else "small")),
        **places(tmp_path_factory.mktemp(NAME)),
        "STREAMS": ",".join(STREAMS),
        **{s.retention: str(days_since(30)) for s in STREAMS.values() if s.days},
    }
    with pytest.MonkeyPatch.context() as patch:
        set_variables(patch, settings)
        for mode in ("full", "backfill"):
            assert run("run", "--mode", mode).exit_code == 0
        assert build_without_unit_tests("") == 0
    return variables


@pytest.fixture
def database(built_database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The same, set in the environment."""
    set_variables(monkeypatch, built_database)
    return built_database
