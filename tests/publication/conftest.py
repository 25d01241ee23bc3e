"""Fixtures: one world, built and published twice by dbt; every test works in a copy of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest

from tests.publication import world
from tests.publication.lab import ROOT, TABLES, Lab, Outcome


@dataclass(frozen=True)
class Published:
    """A lab after two builds, and what they said; not to be changed."""

    lab: Lab
    first: Outcome
    second: Outcome
    writes_before: dict[str, tuple[int, int, int]]
    writes_after: dict[str, tuple[int, int, int]]


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> dict[str, str]:
    """The tests' own server, or another version's: PUBLICATION_TEST_SERVER=host:port."""
    if other := os.environ.get("PUBLICATION_TEST_SERVER"):
        host, _, port = other.partition(":")
        return {"PGHOST": host, "PGPORT": port, "PGUSER": "postgres", "PGDATABASE": "postgres"}
    own: dict[str, str] = request.getfixturevalue("postgres_server")
    return own


def administer(server: dict[str, str], statement: str) -> None:
    connection = psycopg2.connect(
        host=server["PGHOST"], port=server["PGPORT"], user=server["PGUSER"], dbname="postgres"
    )
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


@pytest.fixture(scope="session")
def published(
    server: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Published]:
    name = f"published_{uuid4().hex[:8]}"
    administer(server, f"create database {name} template template0")
    lab = Lab({**server, "PGDATABASE": name}, tmp_path_factory.mktemp("target"))
    connection = lab.connect()
    world.create_raw(connection)
    connection.cursor().execute((ROOT / "ops" / "schema.sql").read_text())
    connection.close()
    first = lab.dbt("build", "--exclude-resource-type", "unit_test")
    before = lab.writes()
    second = lab.dbt("build", "--exclude-resource-type", "unit_test")
    after = lab.writes()
    lab = replace(lab, script=lab.rendered())
    # Tests that kill the server would find unlogged tables empty; a build makes them anew anyway.
    lab.run(" ".join(f"alter table marts.{table} set logged;" for table in TABLES))
    yield Published(lab, first, second, before, after)
    administer(server, f"drop database {name} with (force)")


@pytest.fixture
def lab(published: Published, server: dict[str, str]) -> Iterator[Lab]:
    """A copy of the published world of this test's own."""
    name = f"lab_{uuid4().hex[:8]}"
    original = published.lab.variables["PGDATABASE"]
    administer(server, f"create database {name} template {original}")
    yield replace(published.lab, variables={**server, "PGDATABASE": name})
    administer(server, f"drop database {name} with (force)")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the dbt project, to be broken or changed."""
    shutil.copytree(ROOT / "dbt_project", tmp_path / "project" / "dbt_project")
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(ROOT / name, tmp_path / "project")
    return tmp_path / "project"
