"""A restore in the place of what is there: nothing is lost that the backup does not bring."""

from __future__ import annotations

import json

import pytest

from extract.base import database
from extract.base.errors import MirrorError, UsageError
from extract.tables.ownership import names
from ops.backup import archive, databases
from ops.backup.backup import backup
from ops.backup.restore import drill, restore
from tests.helpers import sql, wait_for
from tests.ops.backup.lab import beside, contents, keep_out


def test_force_replaces_it_and_whoever_was_erased_since_stays_erased(mirrored: str) -> None:
    written = backup()
    (user,) = sql("select max(id) from raw.users")[0]
    assert isinstance(user, int)
    keep_out(user)
    sql(f"delete from raw.users where id >= {user - 50}; drop schema analyst cascade")
    reader = database.connect("a reader that stays connected", autocommit=True, name=mirrored)

    done = restore(written.path, force=True)

    assert done.database == mirrored
    assert "1 people who had been erased were erased again." in done.notes
    assert sql("select count(*) from raw.users") == [(311,)]
    assert sql(f"select count(*) from mirror.users where id = {user}") == [(0,)]
    assert sql("select count(*) from ops.kept_out") == [(1,)]
    assert sql("select count(*) > 0 from analyst.mine") == [(True,)]
    assert beside(f"{mirrored}\\_%") == []
    reader.close()


LIKENESS = """
    select datlocprovider, datcollate, datctype, datlocale, icu, pg_get_userbyid(datdba),
        datacl::text, datconnlimit, shobj_description(oid, 'pg_database'),
        array(select setconfig::text from pg_db_role_setting where setdatabase = oid order by 1)
    from (select *, daticurules as icu from pg_database) as entry where datname = '{}'
"""


def test_a_replacement_has_locale_owner_rights_and_settings_of_what_it_replaces(
    role: str, unchanged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{unchanged}_own"
    written = backup()
    sql(
        f"create database {name} template template0 encoding 'UTF8' locale 'C' "
        "locale_provider builtin builtin_locale 'C.UTF-8'",
        name="postgres",
    )
    restore(written.path, name)
    for statement in (
        f"alter database {name} owner to {role}",
        f"revoke all on database {name} from public",
        f"grant connect on database {name} to {role}, pg_monitor with grant option",
        f"alter database {name} connection limit 50",
        f"comment on database {name} is 'the mirror''s'",
        f"""alter database {name} set search_path to "$user", 'a "b', ''""",
        f"alter database {name} set my.label to 'a, b=c'",
        f"alter role {role} in database {name} set work_mem to '5MB'",
    ):
        sql(statement, name="postgres")
    before = sql(LIKENESS.format(name), name="postgres")
    monkeypatch.setenv("PGDATABASE", name)

    done = restore(written.path, force=True)

    assert sql(LIKENESS.format(name), name="postgres") == before
    assert not [note for note in done.notes if "may not give" in note]
    assert beside(f"{name}\\_%") == []


def test_what_a_role_may_not_hand_over_is_said_with_the_statement(
    role: str, unchanged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{unchanged}_own"
    written = backup()
    sql(f"alter role {role} createdb", name="postgres")
    sql(f"create database {name} owner {role}", name="postgres")
    sql(f"alter database {name} set log_min_messages to 'error'", name="postgres")
    monkeypatch.setenv("PGUSER", role)
    monkeypatch.setenv("PGDATABASE", name)
    restore(written.path)

    done = restore(written.path, force=True)

    (note,) = [note for note in done.notes if "may not give" in note]
    assert f"""run: alter database "{name}" set "log_min_messages" to 'error';""" in note


def test_every_database_that_a_restore_makes_is_utf8_whatever_the_cluster_is(
    mirrored: str,
) -> None:
    written = backup()
    ascii_of = "update pg_database set encoding = {} where datname like 'template_'"
    try:
        sql(ascii_of.format("pg_char_to_encoding('SQL_ASCII')"), name="postgres")
        drill()
        restore(written.path, force=True)
        restore(written.path, f"{mirrored}_other")
        assert sql("show server_encoding", name=mirrored) == [("UTF8",)]
        assert sql("show server_encoding", name=f"{mirrored}_other") == [("UTF8",)]
        databases.create(f"{mirrored}_first", like="nothing_to_be_like")
        assert sql("show server_encoding", name=f"{mirrored}_first") == [("UTF8",)]
    finally:
        sql(ascii_of.format("pg_char_to_encoding('UTF8')"), name="postgres")


def test_what_killed_restores_have_left_goes_and_databases_of_others_stay(mirrored: str) -> None:
    written = backup()
    stamp = "20260101t000000"
    for kind in ("restoring", "replaced", "drill"):
        sql(f"create database {mirrored}_{kind}_{stamp}", name="postgres")
        databases.mark_scratch(f"{mirrored}_{kind}_{stamp}")
    # without our mark
    sql(f"create database {mirrored}_restoring_20260101t000001", name="postgres")
    sql(f"create database {mirrored}_restoring_20260101t000002", name="postgres")
    databases.mark_scratch(f"{mirrored}_restoring_20260101t000002")
    at_work = database.connect(
        "another restore", autocommit=True, name=f"{mirrored}_restoring_20260101t000002"
    )

    drill(written.path)

    assert sorted(map(str, beside(f"{mirrored}\\_%"))) == [
        f"{mirrored}_restoring_20260101t000001",
        f"{mirrored}_restoring_20260101t000002",
    ]
    at_work.close()
    restore(written.path, force=True)
    assert beside(f"{mirrored}\\_%") == [f"{mirrored}_restoring_20260101t000001"]
    assert databases.comment_and_limit(mirrored)[0] is None


def test_a_role_that_is_no_superuser_replaces_a_database_while_autovacuum_is_at_work_there(
    role: str, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{mirrored}_busy"
    slow = "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"
    sql(f"alter role {role} createdb")
    sql(f"create database {name} owner {role}", name="postgres")
    sql(f"create table t (x text) with ({slow})", name=name)
    sql("insert into t select repeat('x', 500) from generate_series(1, 20000)", name=name)
    sql("delete from t", name=name)
    at_work = (
        f"select from pg_stat_activity where datname = '{name}' and backend_type ~ '^autovacuum'"
    )
    try:
        sql("alter system set autovacuum_naptime to '1s'", name="postgres")
        sql("select pg_reload_conf()", name="postgres")
        wait_for(lambda: sql(at_work, name="postgres"), "autovacuum")
        with monkeypatch.context() as patch:
            patch.setenv("PGUSER", role)
            databases.rename(name, f"{name}_aside")
            databases.drop(f"{name}_aside")
    finally:
        sql("alter system set autovacuum_naptime to '1d'", name="postgres")
        sql("select pg_reload_conf()", name="postgres")

    assert beside(f"{name}%") == []


def test_sessions_that_a_role_may_not_end_are_named(
    role: str, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql(f"alter role {role} createdb")
    sql(f"create database {mirrored}_busy owner {role}", name="postgres")

    with database.session("dashboard", f"{mirrored}_busy"):
        monkeypatch.setenv("PGUSER", role)
        with pytest.raises(MirrorError, match="may not end those of fortytwo"):
            databases.rename(f"{mirrored}_busy", f"{mirrored}_aside")


def test_a_restore_that_was_killed_between_its_renames_is_named_by_every_command(
    mirrored: str,
) -> None:
    written = backup()
    aside = f"{mirrored}_replaced_20260101t000000"
    databases.rename(mirrored, aside)

    with pytest.raises(UsageError) as refused:
        database.connect("test")
    with pytest.raises(UsageError, match="a restore was stopped"):
        restore(written.path, force=True)

    statement = f'alter database "{aside}" rename to "{mirrored}";'
    assert statement in str(refused.value)
    sql(statement, name="postgres")
    assert drill().compared


def test_a_failed_replacement_leaves_the_database_as_it_was(mirrored: str) -> None:
    written = backup()
    manifest = json.loads(archive.manifest_path(written.path).read_text())
    manifest["tables"]["raw.users"] = [313, "abc"]
    archive.manifest_path(written.path).write_text(json.dumps(manifest))
    before = contents(mirrored)

    with pytest.raises(MirrorError, match=r"raw\.users has 312 rows instead of 313"):
        restore(written.path, force=True)

    assert contents(mirrored) == before
    assert beside(f"{mirrored}\\_%") == []


@pytest.mark.parametrize(
    ("theirs", "named"),
    [
        ("create schema shop; create table shop.orders as select 1 as id", "shop.orders (table)"),
        ("create view analyst.later as select 1 as id", "analyst.later (view)"),
        ("create function public.price() returns int return 1", "public.price() (function)"),
        ("create type public.size as enum ('s', 'l')", "public.size (type)"),
        ("create schema shop", "shop (schema)"),
    ],
    ids=["table", "view", "function", "type", "schema"],
)
def test_a_replacement_drops_nothing_that_others_made(
    mirrored: str, theirs: str, named: str
) -> None:
    written = backup()
    sql(theirs)
    before = contents(mirrored)

    with pytest.raises(UsageError) as stopped:
        restore(written.path, force=True)

    assert named in str(stopped.value)
    assert "students_by_campus" not in str(stopped.value)  # it comes back with the backup
    assert contents(mirrored) == before
    assert beside(f"{mirrored}\\_%") == []


def test_a_backup_that_lacks_one_of_our_functions_replaces_all_the_same(mirrored: str) -> None:
    written = backup()
    (name,) = [name for name in names() if name == "ops.align_history"]
    sql(f"create function {name}(name text, columns text[]) returns int return 1")

    assert restore(written.path, force=True).compared

    sql("create function ops.theirs(name text) returns int return 1")
    with pytest.raises(UsageError, match=r"ops\.theirs\(pg_catalog\.text\) \(function\)"):
        restore(written.path, force=True)
