"""One extraction from the sandbox, built on PostgreSQL, for every engine that copies it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import pytest
from rich.console import Console

from extract import run as runs
from extract.base.lock import new_run_id, run_lock
from extract.progress import ExtractionProgress
from extract.tables.streams import STREAMS
from tests.conftest import administer, api, build_without_unit_tests, set_variables
from tests.end_to_end.oracle import days_since

NAME = "second_engine"


@pytest.fixture(scope="session")
def built_database(
    start_sandbox: Callable[..., str],
    postgres_server: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    network: bool,
) -> dict[str, str]:
    """The libpq variables of a database with all streams of the sandbox, models built."""
    local = str(tmp_path_factory.mktemp(NAME))
    administer(postgres_server, f"create database {NAME} template template0")
    variables = {**postgres_server, "PGDATABASE": NAME}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **variables,
            **api(start_sandbox(scale="network" if network else "small")),
            "FORTYTWO_ENV_FILE": os.devnull,
            "FORTYTWO_LOCAL": local,
            "STREAMS": ",".join(STREAMS),
            "XDG_STATE_HOME": local,
            **{s.retention: str(days_since(30)) for s in STREAMS.values() if s.days},
        }.items():
            patch.setenv(name, value)
        for mode in ("full", "backfill"):
            run_id = new_run_id()
            with (
                run_lock(mode, run_id) as held,
                ExtractionProgress(Console(file=io.StringIO())) as progress,
            ):
                runs.extract(mode, progress=progress, connection=held, run_id=run_id)
        assert build_without_unit_tests(run_id) == 0
    return variables


@pytest.fixture
def database(built_database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The same, set in the environment."""
    set_variables(monkeypatch, built_database)
    return built_database
