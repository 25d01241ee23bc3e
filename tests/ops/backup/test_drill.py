"""Restore drills: equality proven, nothing left, nothing of others touched."""

from __future__ import annotations

import json

import pytest

from extract.base import database
from extract.base.errors import MirrorError, UsageError
from ops import doctor
from ops.backup import archive, databases
from ops.backup.backup import backup
from ops.backup.restore import drill, drill_obstacle, restore
from tests.helpers import sql
from tests.ops.backup.lab import beside, contents


def test_the_drill_proves_equality_and_leaves_nothing(mirrored: str) -> None:
    written = backup()
    sql("delete from raw.campus_users; insert into ops.kept_out values ('x', now())")

    done = drill()

    assert done.path == written.path
    assert done.tables == written.manifest.tables
    assert beside(f"{mirrored}\\_%") == []


def test_the_drill_finds_one_changed_value_and_fails(mirrored: str) -> None:
    written = backup()
    sql("update raw.users set wallet = wallet + 1 where id = (select min(id) from raw.users)")
    manifest = json.loads(archive.manifest_path(written.path).read_text())
    manifest["tables"] = contents(mirrored)
    archive.manifest_path(written.path).write_text(json.dumps(manifest))

    with pytest.raises(MirrorError, match=r"raw\.users has other contents\."):
        drill()


def test_a_role_that_may_not_make_databases_restores_into_an_empty_one(
    role: str, unchanged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = backup()
    empty = f"{unchanged}_empty"
    sql(f"create database {empty} owner {role}", name="postgres")
    monkeypatch.setenv("PGUSER", role)

    done = restore(written.path, empty)

    assert done.compared
    with pytest.raises(MirrorError, match="may not create, rename or drop databases"):
        drill(written.path)
    assert "may not create databases" in drill_obstacle()
    monkeypatch.setenv("RESTORE_DRILL_DATABASE", empty)
    with pytest.raises(UsageError, match=r"is not empty: analyst \(schema\).* more\. Drop"):
        drill(written.path)  # it holds what was restored into it
    owned = f"select nspname from pg_namespace where nspowner = '{role}'::regrole"
    for (schema,) in sql(owned, name=empty):
        sql(f"drop schema {schema} cascade", name=empty)
    assert drill(written.path).compared and drill_obstacle() == ""
    assert drill(written.path).compared, "it is empty again after a drill"


def test_a_drill_empties_its_database_wholly_each_time(
    role: str, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = f"{mirrored}_scratch"
    sql(
        "create table public.notes as select 1 as id; create view public.two as table public.notes;"
        "create type public.size as enum ('s'); create domain public.short as varchar(3);"
        "create function public.price(size) returns int return 1; create sequence public.numbers;"
        "create procedure public.act() language sql as ''; create materialized view mv as select 1;"
        "create aggregate public.total(int) (sfunc = int4pl, stype = int);"
        "create operator public.### (function = int4pl, leftarg = int, rightarg = int);"
        "create collation public.german (locale = 'C'); create table parts (n int primary key) "
        "partition by range (n); create table part partition of parts default;"
        "create type public.pair as (a int); select lo_from_bytea(4711, 'x');"
        "create statistics public.s on id, (id + 1) from public.notes"
    )
    written = backup()
    sql(f"create database {given} owner {role}", name="postgres")
    sql("create publication of_an_administrator", name=given)
    monkeypatch.setenv("PGUSER", role)
    monkeypatch.setenv("RESTORE_DRILL_DATABASE", given)
    with database.session("test", given) as connection:
        kept = databases.everything(connection)

        assert drill(written.path).compared
        assert drill(written.path).compared, "it is empty again after a drill"

        assert databases.everything(connection) == kept != []


def test_a_database_for_drills_that_cannot_serve_is_told_with_what_mends_it(
    unchanged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup()
    for given, said in (
        (unchanged, "which is the mirror's own database"),
        (f"{unchanged}_none", f"create database {unchanged}_none owner fortytwo encoding"),
    ):
        monkeypatch.setenv("RESTORE_DRILL_DATABASE", given)
        with pytest.raises(UsageError, match=said):
            drill()
        (finding,) = [found for found in doctor.examine() if found.name == "restore drill"]
        assert finding.level == "degraded" and said in finding.sentence


def test_the_drill_drops_no_database_of_others(mirrored: str) -> None:
    backup()
    sql(f"create database {mirrored}_drill_team template template0", name="postgres")

    drill()

    assert beside(f"{mirrored}\\_drill\\_%") == [f"{mirrored}_drill_team"]
