"""A fresh small world and an empty database for whole extractions through the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import count

import pytest
from psycopg2.extensions import connection as Connection

from extract.base import database as databases
from tests.conftest import DATABASE
from tests.extract.commands import control, run
from tests.helpers import administer, api, places, set_variables


@pytest.fixture
def world(fresh_sandbox: str, database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    set_variables(monkeypatch, api(fresh_sandbox))
    return fresh_sandbox


@pytest.fixture
def connection(world: str) -> Iterator[Connection]:
    with databases.session("test") as made:
        yield made


@pytest.fixture(scope="session")
def passed(
    postgres_server: dict[str, str], own_sandbox: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., None]:
    """Make the test's database one that these passes over a fresh world have filled.

    Each state is made once, out of the one before it.
    """
    number = count()

    @cache
    def database_after(streams: str, change: Callable[[str], None] | None, *modes: str) -> str:
        if not modes:
            return "template0"
        before = database_after(streams, change, *modes[:-1])
        name = f"after_passes_{next(number)}"
        control(own_sandbox, "reset", {})
        if change:
            change(own_sandbox)
        administer(postgres_server, f"create database {name} template {before} strategy file_copy")
        settings = {
            **postgres_server,
            **api(own_sandbox),
            **places(tmp_path_factory.mktemp(name)),
            "PGDATABASE": name,
            "STREAMS": streams,
        }
        with pytest.MonkeyPatch.context() as patch:
            set_variables(patch, settings)
            assert run("run", "--mode", modes[-1]).exit_code == 0
        control(own_sandbox, "reset", {})
        return name

    def copy(*modes: str, streams: str = "", change: Callable[[str], None] | None = None) -> None:
        name = database_after(streams, change, *modes)
        administer(postgres_server, f"drop database if exists {DATABASE} with (force)")
        administer(
            postgres_server, f"create database {DATABASE} template {name} strategy file_copy"
        )

    return copy


@pytest.fixture
def read_world(world: str, passed: Callable[..., None]) -> str:
    """A fresh world that a full pass has read."""
    passed("full")
    return world


@pytest.fixture
def filled_world(world: str, passed: Callable[..., None]) -> str:
    """A fresh world that a full pass and a backfill have read."""
    passed("full", "backfill")
    return world


@pytest.fixture
def agenda_world(world: str, passed: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, of the stream `agenda` alone, which is on."""
    passed("full", "backfill", streams="agenda")
    monkeypatch.setenv("STREAMS", "agenda")
    return world
