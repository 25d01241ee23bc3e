"""Fixtures: one world, built and published by dbt; every test works in a copy of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from extract.tables.ownership import OPS_FILES, mark
from tests.conftest import DATABASE as NAME  # of every database, while dbt works in it
from tests.conftest import Parsed
from tests.helpers import ROOT, administer
from tests.publication import world
from tests.publication.lab import Lab, Outcome


@dataclass(frozen=True)
class Published:
    """A lab after its first build, and what dbt said of it; not to be changed."""

    lab: Lab
    first: Outcome


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> dict[str, str]:
    """The tests' own server, or another version's: PUBLICATION_TEST_SERVER=host:port."""
    if other := os.environ.get("PUBLICATION_TEST_SERVER"):
        host, _, port = other.partition(":")
        return {"PGHOST": host, "PGPORT": port, "PGUSER": "postgres", "PGDATABASE": "postgres"}
    own: dict[str, str] = request.getfixturevalue("postgres_server")
    return own


def copy_project(folder: Path) -> Path:
    """Copy the dbt project into a new folder, which is returned."""
    shutil.copytree(ROOT / "dbt_project", folder / "dbt_project")
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(ROOT / name, folder)
    return folder


def copy_database(server: dict[str, str], original: str, name: str = NAME) -> None:
    drop_database(server, name)
    administer(server, f"create database {name} template {original} strategy file_copy")


def drop_database(server: dict[str, str], name: str = NAME) -> None:
    administer(server, f"drop database if exists {name} with (force)")


@contextmanager
def copied(server: dict[str, str], original: Lab) -> Iterator[Lab]:
    """A lab with a copy of another one's database, for as long as no other is needed."""
    copy_database(server, original.variables["PGDATABASE"])
    yield replace(original, variables={**server, "PGDATABASE": NAME})
    drop_database(server)


def keep_database(server: dict[str, str]) -> str:
    """Make room for the next database in which dbt works; returns the name this one has now."""
    name = f"{NAME}_{uuid4().hex[:8]}"
    administer(server, f"alter database {NAME} rename to {name}")
    return name


@pytest.fixture(scope="session")
def published(
    server: dict[str, str], parsed_project: Parsed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Published]:
    copy_database(server, "template0")
    lab = Lab({**server, "PGDATABASE": NAME}, tmp_path_factory.mktemp("target"))
    shutil.copy(parsed_project.memory, lab.target)
    connection = lab.connect()
    world.create_raw(connection)
    for path in OPS_FILES:
        connection.cursor().execute(path.read_text())
    mark(connection, "raw", "ops")
    connection.close()
    # with the unit tests, which all other builds leave out
    first = lab.dbt("build", FORTYTWO_SIGNATURE='{"models": "first"}')
    assert first.success, first.output
    # as the next build would: the first one made the tables
    lab = replace(lab, script=lab.rendered())
    # Tests that kill the server would find unlogged tables empty; a build makes them anew anyway.
    unlogged = lab.rows(
        "select oid::regclass::text from pg_class where relpersistence = 'u' and relkind = 'r'"
    )
    lab.run(" ".join(f"alter table {table} set logged;" for (table,) in unlogged))
    kept = keep_database(server)
    lab = replace(lab, variables={**server, "PGDATABASE": kept})
    yield Published(lab, first)
    drop_database(server, kept)


@pytest.fixture
def lab(published: Published, server: dict[str, str]) -> Iterator[Lab]:
    """A copy of the published world of this test's own."""
    with copied(server, published.lab) as lab:
        yield lab


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the dbt project, to be broken or changed."""
    return copy_project(tmp_path / "project")
