"""Fixtures: a mirror of a real extraction, to be left alone or of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from extract.base import database
from extract.tables.ownership import mark
from tests.helpers import set_variables, sql
from tests.ops.backup.lab import PUBLISHED, drop, extract


@pytest.fixture(scope="session")
def template(
    postgres_server: dict[str, str], sandbox: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The name of a database that holds an extraction of the small sandbox."""
    name = "template_of_mirrors"
    with pytest.MonkeyPatch.context() as patch:
        set_variables(patch, postgres_server)
        sql(f"create database {name} template template0", name="postgres")
        extract(sandbox, tmp_path_factory.mktemp("template"), name)
        sql(PUBLISHED, name=name)
        with database.session("test", name) as connection:
            mark(connection, "mirror", "snapshots", "marts")
    return name


@pytest.fixture
def unchanged(
    template: str, postgres_server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The mirror that tests share, for those that leave it alone; what they add beside it goes."""
    set_variables(monkeypatch, {**postgres_server, "PGDATABASE": template})
    yield template
    drop(f"{template}_%")


@pytest.fixture
def role(unchanged: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A role that may log in and nothing else; its databases go with it."""
    name = f"limited_{uuid4().hex[:8]}"
    sql(f"create role {name} login", name="postgres")
    yield name
    monkeypatch.setenv("PGUSER", "fortytwo")
    for (owned,) in sql(
        f"select datname from pg_database where datdba = '{name}'::regrole", name="postgres"
    ):
        sql(f"drop database {owned} with (force)", name="postgres")
    sql(f"drop role {name}", name="postgres")


@pytest.fixture
def mirrored(template: str, unchanged: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mirror of this test's own."""
    name = f"mirrored_{uuid4().hex[:8]}"
    sql(f"create database {name} template {template} strategy file_copy", name="postgres")
    monkeypatch.setenv("PGDATABASE", name)
    yield name
    monkeypatch.setenv("PGUSER", "fortytwo")
    drop(f"{name}%")
