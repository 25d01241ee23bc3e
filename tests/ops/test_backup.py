"""Backups of a real extraction: written, encrypted, rotated, restored, compared, refused."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from rich.console import Console
from typer.testing import CliRunner

from extract import programs
from extract import run as runs
from extract.base import database as databases_of_the_mirror
from extract.base.errors import BusyError, MirrorError, UsageError
from extract.base.lock import new_run_id, run_lock
from extract.people import kept_out
from extract.progress import ExtractionProgress
from extract.tables.ownership import mark, names
from ops import doctor
from ops.backup import age, archive, databases, postgres
from ops.backup.backup import backup
from ops.backup.restore import drill, drill_obstacle, restore
from ops.cli import app

# what dbt would have made, and what an analyst would have put on top
PUBLISHED = """
create schema mirror; create schema snapshots; create schema reports; create schema marts;
create table mirror.users as select id, login, campus_id from raw.users;
alter table mirror.users add primary key (id);
create table mirror.cursus_users as select id, user_id, level from raw.cursus_users;
alter table mirror.cursus_users add foreign key (user_id) references mirror.users on delete cascade;
create table snapshots.users_history as select *, now() as dbt_valid_from from mirror.users;
create unlogged table marts.users as select * from mirror.users;
create view reports.students_by_campus as
select campus_id, count(*) as students from mirror.users group by campus_id;
create schema analyst;
create view analyst.mine as select * from mirror.users where campus_id = 1;
insert into ops.runs (run_id, mode, status, published_at, raw_signature)
values ('published', 'full', 'published', now(), '{"raw": 1}');
"""


def sql(statement: str, name: str = "") -> list[tuple[object, ...]]:
    connection = postgres.connect(name or os.environ["PGDATABASE"], "test")
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def extract(environment: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        run_id = new_run_id()
        with run_lock("full", run_id) as connection:
            progress = ExtractionProgress(Console(quiet=True))
            runs.extract("full", progress=progress, connection=connection, run_id=run_id)


@pytest.fixture(scope="module")
def template(
    postgres_server: dict[str, str], sandbox: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The name of a database that holds an extraction of the small sandbox."""
    name = "template_of_mirrors"
    local = str(tmp_path_factory.mktemp("template"))
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in postgres_server.items():
            patch.setenv(variable, value)
        sql(f"create database {name} template template0", "postgres")
        extract(api(sandbox, local) | {"PGDATABASE": name})
        sql(PUBLISHED, name)
        connection = postgres.connect(name, "test")
        mark(connection, "mirror", "snapshots", "marts")
        connection.close()
    return name


def api(address: str, local: str) -> dict[str, str]:
    return {
        "FORTYTWO_API_URL": address,
        "FORTYTWO_CLIENT_ID": "sandbox",
        "FORTYTWO_CLIENT_SECRET": "sandbox",
        "FORTYTWO_ENV_FILE": os.devnull,
        "FORTYTWO_LOCAL": local,
        "XDG_STATE_HOME": local,
    }


@pytest.fixture
def unchanged(
    template: str, postgres_server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The mirror that tests share, for those that leave it alone; what they add beside it goes."""
    for variable, value in {**postgres_server, "PGDATABASE": template}.items():
        monkeypatch.setenv(variable, value)
    yield template
    drop(f"{template}_%")


@pytest.fixture
def mirrored(template: str, unchanged: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mirror of this test's own."""
    name = f"mirrored_{uuid4().hex[:8]}"
    sql(f"create database {name} template {template} strategy file_copy", "postgres")
    monkeypatch.setenv("PGDATABASE", name)
    yield name
    drop(f"{name}%")


def drop(pattern: str) -> None:
    for name in beside(pattern):
        sql(f"drop database {name} with (force)", "postgres")


def beside(pattern: str) -> list[object]:
    query = f"select datname from pg_database where datname like '{pattern}'"
    return [name for (name,) in sql(query, "postgres")]


def contents(name: str) -> dict[str, tuple[int, str]]:
    connection = postgres.connect(name, "test")
    try:
        return postgres.checksums(connection)
    finally:
        connection.close()


def test_a_backup_is_private_and_holds_everything_but_what_dbt_rebuilds(unchanged: str) -> None:
    written = backup()

    folder = written.path.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == [
        written.path.name,
        f"{written.path.name}.json",
    ]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    assert written.path.read_bytes().startswith(b"PGDMP")
    assert written.manifest == archive.Manifest.read(written.path)
    tables = written.manifest.tables
    assert tables == contents(unchanged)
    assert tables["raw.users"][0] == 312
    assert {"raw._dlt_pipeline_state", "raw._dlt_version", "snapshots.users_history"} < set(tables)
    assert not [name for name in tables if name.startswith(("marts.", "raw_staging."))]


def test_a_restored_database_is_the_same_and_views_and_keys_are_there(unchanged: str) -> None:
    written = backup()

    done = restore(written.path, f"{unchanged}_other")

    assert done.compared
    assert done.tables == written.manifest.tables
    assert sql("select count(*) from analyst.mine", f"{unchanged}_other") == sql(
        "select count(*) from analyst.mine"
    )
    keys = (
        "select conrelid::regclass::text, conname from pg_constraint where contype in ('p', 'f') "
        "and connamespace::regnamespace::text in ('mirror', 'raw', 'ops') order by 1, 2"
    )
    assert sql(keys, f"{unchanged}_other") == sql(keys)
    # marts are not there: the next sync must build, whatever raw says
    assert sql(
        "select raw_signature from ops.runs where run_id = 'published'", f"{unchanged}_other"
    ) == [(None,)]


def test_dlt_goes_on_where_the_backup_was_made(
    unchanged: str, sandbox: str, tmp_path: Path
) -> None:
    written = backup()
    other = f"{unchanged}_other"
    restore(written.path, other)
    before = sql("select id, _dlt_load_id from raw.users order by id", other)

    extract(api(sandbox, str(tmp_path / "other")) | {"PGDATABASE": other})

    assert sql("select id, _dlt_load_id from raw.users order by id", other) == before
    assert sql("select count(*) from raw._dlt_version", other) == [(1,)]


def test_a_database_that_is_not_empty_is_refused_and_untouched(unchanged: str) -> None:
    written = backup()
    before = contents(unchanged)

    with pytest.raises(UsageError, match=r"not empty.*FORCE=1"):
        restore(written.path)

    assert contents(unchanged) == before


def test_force_replaces_it_and_whoever_was_erased_since_stays_erased(mirrored: str) -> None:
    written = backup()
    (user,) = sql("select max(id) from raw.users")[0]
    assert isinstance(user, int)
    connection = databases_of_the_mirror.connect("test", autocommit=True)
    with connection.cursor() as cursor:
        kept_out.add(cursor, [user])
    connection.close()
    sql(f"delete from raw.users where id >= {user - 50}; drop schema analyst cascade")
    reader = postgres.connect(mirrored, "a reader that stays connected")

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
    template: str, unchanged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, role = f"{unchanged}_own", f"owner_{uuid4().hex[:8]}"
    written = backup()
    sql(
        f"create database {name} template template0 encoding 'UTF8' locale 'C' "
        "locale_provider builtin builtin_locale 'C.UTF-8'",
        "postgres",
    )
    restore(written.path, name)
    sql(f"create role {role} login", "postgres")
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
        sql(statement, "postgres")
    before = sql(LIKENESS.format(name), "postgres")
    monkeypatch.setenv("PGDATABASE", name)

    done = restore(written.path, force=True)

    assert sql(LIKENESS.format(name), "postgres") == before
    assert not [note for note in done.notes if "may not give" in note]
    assert beside(f"{name}\\_%") == []
    drop(name)
    sql(f"drop role {role}", "postgres")


def test_what_a_role_may_not_hand_over_is_said_with_the_statement(
    unchanged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, role = f"{unchanged}_own", f"owner_{uuid4().hex[:8]}"
    written = backup()
    sql(f"create role {role} login createdb", "postgres")
    sql(f"create database {name} owner {role}", "postgres")
    sql(f"alter database {name} set log_min_messages to 'error'", "postgres")
    monkeypatch.setenv("PGUSER", role)
    monkeypatch.setenv("PGDATABASE", name)
    restore(written.path)

    done = restore(written.path, force=True)

    (note,) = [note for note in done.notes if "may not give" in note]
    assert f"""run: alter database "{name}" set "log_min_messages" to 'error';""" in note
    monkeypatch.setenv("PGUSER", "fortytwo")
    drop(name)
    sql(f"drop role {role}", "postgres")


def test_every_database_that_a_restore_makes_is_utf8_whatever_the_cluster_is(
    mirrored: str,
) -> None:
    written = backup()
    ascii_of = "update pg_database set encoding = {} where datname like 'template_'"
    try:
        sql(ascii_of.format("pg_char_to_encoding('SQL_ASCII')"), "postgres")
        drill()
        restore(written.path, force=True)
        restore(written.path, f"{mirrored}_other")
        assert sql("show server_encoding", mirrored) == [("UTF8",)]
        assert sql("show server_encoding", f"{mirrored}_other") == [("UTF8",)]
        databases.create(f"{mirrored}_first", like="nothing_to_be_like")
        assert sql("show server_encoding", f"{mirrored}_first") == [("UTF8",)]
    finally:
        sql(ascii_of.format("pg_char_to_encoding('UTF8')"), "postgres")


def test_nothing_is_restored_into_a_database_that_no_command_would_use(unchanged: str) -> None:
    written = backup()
    other = f"{unchanged}_ascii"
    sql(f"create database {other} template template0 encoding 'SQL_ASCII' locale 'C'", "postgres")

    with pytest.raises(UsageError, match="has the encoding SQL_ASCII"):
        restore(written.path, other)

    assert contents(other) == {}


def test_what_killed_restores_have_left_goes_and_databases_of_others_stay(mirrored: str) -> None:
    written = backup()
    stamp = "20260101t000000"
    for kind in ("restoring", "replaced", "drill"):
        sql(f"create database {mirrored}_{kind}_{stamp}", "postgres")
        databases.mark_scratch(f"{mirrored}_{kind}_{stamp}")
    sql(f"create database {mirrored}_restoring_20260101t000001", "postgres")  # without our mark
    sql(f"create database {mirrored}_restoring_20260101t000002", "postgres")
    databases.mark_scratch(f"{mirrored}_restoring_20260101t000002")
    at_work = postgres.connect(f"{mirrored}_restoring_20260101t000002", "another restore")

    drill(written.path)

    assert sorted(map(str, beside(f"{mirrored}\\_%"))) == [
        f"{mirrored}_restoring_20260101t000001",
        f"{mirrored}_restoring_20260101t000002",
    ]
    at_work.close()
    restore(written.path, force=True)
    assert beside(f"{mirrored}\\_%") == [f"{mirrored}_restoring_20260101t000001"]
    assert databases.comment_and_limit(mirrored)[0] is None


def test_a_restore_that_was_killed_between_its_renames_is_named_by_every_command(
    mirrored: str,
) -> None:
    written = backup()
    aside = f"{mirrored}_replaced_20260101t000000"
    databases.rename(mirrored, aside)

    with pytest.raises(UsageError) as refused:
        databases_of_the_mirror.connect("test")
    with pytest.raises(UsageError, match="a restore was stopped"):
        restore(written.path, force=True)

    statement = f'alter database "{aside}" rename to "{mirrored}";'
    assert statement in str(refused.value)
    sql(statement, "postgres")
    assert drill().compared


@pytest.mark.parametrize("with_note", [True, False])
def test_a_new_machine_learns_who_stays_out_or_says_that_it_cannot(
    mirrored: str, with_note: bool
) -> None:
    connection = databases_of_the_mirror.connect("test", autocommit=True)
    with connection.cursor() as cursor:
        kept_out.add(cursor, [4242])
    connection.close()
    written = backup()
    assert archive.manifest_path(written.path).stat().st_mode & 0o777 == 0o600
    kept_out.key_file().unlink()  # a machine that has nothing but the backup
    if not with_note:
        archive.manifest_path(written.path).unlink()

    done = restore(written.path, f"{mirrored}_elsewhere")

    elsewhere = postgres.connect(f"{mirrored}_elsewhere", "test")
    try:
        if with_note:
            assert 4242 in kept_out.load(elsewhere)
            assert not [note for note in done.notes if "stay out" in note]
        else:
            assert [note for note in done.notes if "are to stay out, but the key" in note]
            with pytest.raises(UsageError, match="are to stay out, but the key"):
                kept_out.load(elsewhere)
    finally:
        elsewhere.close()
        databases.drop(f"{mirrored}_elsewhere")


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


def test_a_backup_is_one_moment_even_while_rows_are_written(mirrored: str) -> None:
    sql("create table mirror.left_side (n int); create table mirror.right_side (n int)")
    stop = threading.Event()

    def write() -> None:
        connection = postgres.connect(mirrored, "writer")
        while not stop.is_set():
            with connection.cursor() as cursor:
                cursor.execute(
                    "begin; insert into mirror.left_side values (1);"
                    "select pg_sleep(0.001); insert into mirror.right_side values (1); commit"
                )
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        written = backup()
    finally:
        stop.set()
        writer.join()

    assert drill().compared
    tables = written.manifest.tables
    assert tables["mirror.left_side"] == tables["mirror.right_side"]


def test_while_a_run_is_at_work_no_moment_is_taken(unchanged: str) -> None:
    with (
        run_lock("full", "20251121T010000Z-1"),
        pytest.raises(BusyError, match="holds the lock"),
    ):
        backup(patience=0)

    assert archive.backups(archive.folder()) == []


def test_an_encrypted_backup_needs_its_key(
    unchanged: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BACKUP_AGE_RECIPIENT", age.new_key(tmp_path / "key"))
    written = backup()

    assert written.path.name.endswith(".dump.age")
    assert written.path.read_bytes().startswith(b"age-encryption.org/v1")
    with pytest.raises(UsageError, match="BACKUP_AGE_IDENTITY"):
        drill()
    age.new_key(tmp_path / "another")
    monkeypatch.setenv("BACKUP_AGE_IDENTITY", str(tmp_path / "another"))
    with pytest.raises(MirrorError, match="not the key it was encrypted for"):
        drill()
    monkeypatch.setenv("BACKUP_AGE_IDENTITY", str(tmp_path / "key"))
    assert drill().tables == written.manifest.tables


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_an_ssh_key_will_do(
    unchanged: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True
    )
    monkeypatch.setenv("BACKUP_AGE_RECIPIENT", str(tmp_path / "key.pub"))
    monkeypatch.setenv("BACKUP_AGE_IDENTITY", str(tmp_path / "key"))

    backup()

    assert drill().compared


def test_a_key_that_is_none_is_said_before_any_work_and_never_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    age.new_key(tmp_path / "key")
    secret = (tmp_path / "key").read_text().splitlines()[1]
    monkeypatch.setenv("BACKUP_AGE_RECIPIENT", secret)

    with pytest.raises(UsageError, match="no public key") as caught:
        backup()

    assert secret not in str(caught.value)
    with pytest.raises(UsageError, match="cannot be written"):
        age.new_key(tmp_path / "key")


def test_a_damaged_file_a_cut_one_and_a_foreign_one_are_told_apart_from_a_backup(
    unchanged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = backup()
    whole = written.path.read_bytes()
    written.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(MirrorError, match="damaged or cut short"):
        restore(written.path, f"{unchanged}_other")

    archive.manifest_path(written.path).unlink()
    written.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MirrorError, match=r"could not be restored|no backup"):
        restore(written.path, f"{unchanged}_other")
    with pytest.raises(MirrorError, match="is missing"):
        drill(written.path)

    (tmp_path / "letter.dump").write_text("Dear reader, this is no backup." * 100)
    with pytest.raises(MirrorError, match="is no backup"):
        restore(tmp_path / "letter.dump", f"{unchanged}_other")
    with pytest.raises(UsageError, match="There is no file"):
        restore(tmp_path / "nothing.dump")
    assert beside(f"{unchanged}_other") == []


def test_a_backup_of_newer_programs_is_not_taken_for_another_file(
    unchanged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = backup()
    archive.manifest_path(written.path).unlink()
    whole = bytearray(written.path.read_bytes())
    whole[6] = 99  # the minor version of the format, after PGDMP and the major one
    written.path.write_bytes(whole)

    with pytest.raises(MirrorError, match=r"unsupported version \(1\.99\).*postgresql-client"):
        restore(written.path, f"{unchanged}_other")


@pytest.mark.parametrize(
    "said",
    [
        'FATAL:  no pg_hba.conf entry for host "::1", user "u", database "d", no encryption',
        "FATAL:  SSL connection is required. Please specify SSL options and retry.",
    ],
)
def test_a_server_that_wants_encryption_is_told_with_the_package(said: str) -> None:
    assert "PGSSLMODE=require" in postgres.advice(said)
    assert postgres.advice("relation does not exist") == ""


def test_a_cut_encrypted_file_is_not_taken_for_a_wrong_key(
    unchanged: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BACKUP_AGE_RECIPIENT", age.new_key(tmp_path / "key"))
    monkeypatch.setenv("BACKUP_AGE_IDENTITY", str(tmp_path / "key"))
    written = backup()
    archive.manifest_path(written.path).unlink()
    written.path.write_bytes(written.path.read_bytes()[:100_000])

    with pytest.raises(MirrorError, match="damaged or cut short"):
        restore(written.path, f"{unchanged}_other")


def test_without_its_note_a_backup_is_restored_but_not_called_equal(unchanged: str) -> None:
    written = backup()
    archive.manifest_path(written.path).unlink()

    result = CliRunner().invoke(
        app, ["restore", str(written.path), "--database", f"{unchanged}_other"]
    )

    assert result.exit_code == 0
    assert "not compared" in result.output


def test_grants_to_a_role_that_is_missing_are_named(mirrored: str) -> None:
    role = f"dashboard_{uuid4().hex[:8]}"
    sql(f"create role {role}; grant select on mirror.users to {role}")
    written = backup()
    sql(f"drop owned by {role}; drop role {role}")

    done = restore(written.path, f"{mirrored}_other")

    assert done.compared
    assert role in done.notes[0]


def test_a_role_that_may_not_make_databases_restores_into_an_empty_one(
    unchanged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = backup()
    role, empty = f"limited_{uuid4().hex[:8]}", f"{unchanged}_empty"
    sql(f"create role {role} login", "postgres")
    sql(f"create database {empty} owner {role}", "postgres")
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
    for (schema,) in sql(owned, empty):
        sql(f"drop schema {schema} cascade", empty)
    assert drill(written.path).compared and drill_obstacle() == ""
    assert drill(written.path).compared, "it is empty again after a drill"
    monkeypatch.setenv("PGUSER", "fortytwo")
    drop(empty)
    sql(f"drop role {role}", "postgres")


def test_a_drill_empties_its_database_wholly_each_time(
    mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    role, given = f"limited_{uuid4().hex[:8]}", f"{mirrored}_scratch"
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
    sql(f"create role {role} login", "postgres")
    sql(f"create database {given} owner {role}", "postgres")
    sql("create publication of_an_administrator", given)
    monkeypatch.setenv("PGUSER", role)
    monkeypatch.setenv("RESTORE_DRILL_DATABASE", given)
    kept = databases.everything(connection := postgres.connect(given, "test"))

    assert drill(written.path).compared
    assert drill(written.path).compared, "it is empty again after a drill"

    assert databases.everything(connection) == kept != []
    connection.close()
    monkeypatch.setenv("PGUSER", "fortytwo")
    drop(given)
    sql(f"drop role {role}", "postgres")


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


def test_what_the_role_may_not_read_is_left_out_with_what_stands_on_it_and_named(
    mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"limited_{uuid4().hex[:8]}"
    sql(f"create role {role} login")
    own = ("raw", "mirror", "snapshots", "reports", "marts", "ops", "analyst")
    for schema in own:
        sql(f"grant usage on schema {schema} to {role}")
        sql(f"grant select on all tables in schema {schema} to {role}")
        sql(f"grant select on all sequences in schema {schema} to {role}")
    sql(
        'create schema "Their.s"; create table "Their.s".secrets as select 1 as id;'
        'create schema above; create view above.all_of_them as table "Their.s".secrets;'
        "create schema locked; create table locked.orders as select 1 as id;"
        "alter table locked.orders enable row level security;"
        f"grant usage on schema locked, above to {role}; grant select on locked.orders to {role};"
        f"grant create on database {mirrored} to {role}"
    )
    monkeypatch.setenv("PGUSER", role)

    done = CliRunner().invoke(app, ["backup"])

    assert done.exit_code == 0, done.output
    assert "may not read all of it: Their.s, above, locked" in " ".join(done.output.split())
    monkeypatch.setenv("PGUSER", "fortytwo")
    drilled = drill().tables
    assert drilled.keys() == {
        name for name in contents(mirrored) if not name.startswith(("Their.s", "locked"))
    }
    sql('create view reports.theirs as table "Their.s".secrets')
    monkeypatch.setenv("PGUSER", role)
    with pytest.raises(MirrorError, match=r"without them reports could not be restored"):
        backup()
    monkeypatch.setenv("PGUSER", "fortytwo")
    sql(f"drop owned by {role}; drop role {role}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for 60 kB."""
    directory = tmp_path / "small"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("needs to be allowed to mount")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_full_disk_leaves_no_part_of_a_backup(
    encrypted: bool,
    unchanged: str,
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("BACKUP_DIRECTORY", str(small_disk))
    if encrypted:
        monkeypatch.setenv("BACKUP_AGE_RECIPIENT", age.new_key(tmp_path / "key"))
    with pytest.raises(MirrorError, match="is full: the backup was not written"):
        backup()

    assert list(small_disk.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(
    unchanged: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BACKUP_DIRECTORY", str(tmp_path / "file" / "backups"))

    with pytest.raises(MirrorError, match="BACKUP_DIRECTORY"):
        backup()


def test_nothing_to_back_up_is_said(database: dict[str, str]) -> None:
    with pytest.raises(MirrorError, match="Run `make sync` first"):
        backup()


def test_a_server_newer_than_every_pg_dump_names_the_package() -> None:
    with pytest.raises(MirrorError, match="postgresql-client-99"):
        programs.program("pg_dump", 990000)


def test_a_year_of_backups_leaves_seven_days_and_four_weeks(tmp_path: Path) -> None:
    now = datetime(2025, 11, 21, 3, 0, tzinfo=UTC)
    for day in range(365):
        for hour in (0, 5):
            path = archive.new_path(tmp_path, "fortytwo", now - timedelta(days=day, hours=hour))
            path.write_text("")
            archive.Manifest("2025", "fortytwo", "PostgreSQL 18", 0, "", {}).write(path)
    strangers = {
        *("fortytwo-other-20200101T000000Z.dump", "notes.txt", "fortytwo-old.dump", "film.part"),
        "fortytwo-20200101T000000Z.dump",  # one of ours by its name, without our note
    }
    for name in strangers:
        (tmp_path / name).write_text("")

    archive.rotate(tmp_path, "fortytwo")

    left = {path.name for path in tmp_path.iterdir()} - strangers
    days = sorted(name[9:17] for name in left if name.endswith(".dump"))
    assert len(left) == 2 * len(days)
    assert days[-7:] == [f"202511{day}" for day in range(15, 22)]
    assert days[:-7] == ["20251102", "20251109"]  # with the newest two weeks, four
    assert all("T030000Z" in name or "T220000Z" in name for name in left)
    assert sum(name.endswith("T030000Z.dump") for name in left) == 1  # the newest of all
    assert strangers <= {path.name for path in tmp_path.iterdir()}
    assert archive.rotate(tmp_path, "fortytwo") == []


def test_the_backup_before_an_upgrade_stays_whatever_is_saved_afterwards(
    mirrored: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BACKUP_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("BACKUP_KEEP_DAILY", "1")
    monkeypatch.setenv("BACKUP_KEEP_WEEKLY", "0")
    upgrading = ["backup", "--keep", "before-upgrade-v0.1.0"]

    for command in (["backup"], upgrading, ["backup"], upgrading, ["backup"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        time.sleep(1)  # a name is of a second

    kept = sorted(path for path in tmp_path.glob("before-upgrade-v0_1_0-*.dump"))
    assert len(kept) == 2 and len(list(tmp_path.glob("*.dump"))) == 3
    assert CliRunner().invoke(app, ["restore", str(kept[0]), "--force"]).exit_code == 0
    both = CliRunner().invoke(app, ["backup", "--file", "x.dump", "--keep", "before"])
    assert both.exit_code == 2


def test_a_schedule_that_stopped_never_removes_the_last_backups(tmp_path: Path) -> None:
    old = datetime(2020, 1, 1, tzinfo=UTC)
    for day in range(3):
        archive.new_path(tmp_path, "fortytwo", old + timedelta(days=day)).write_text("")

    assert archive.rotate(tmp_path, "fortytwo") == []


def test_a_name_with_digits_that_are_no_time_is_none_of_ours(tmp_path: Path) -> None:
    for name in (
        "fortytwo-20261399T999999Z.dump",
        "fortytwo-20261399T999999Z.dump.part",
        "fortytwo-00000101T000000Z.dump.age",
    ):
        (tmp_path / name).write_text("theirs")
    (tmp_path / "fortytwo-20260101T000000Z.dump").symlink_to(tmp_path / "nowhere")

    assert archive.backups(tmp_path) == []
    assert archive.unfinished(tmp_path, "fortytwo") == []


def test_the_commands_say_what_they_did_and_what_comes_next(unchanged: str, tmp_path: Path) -> None:
    written = CliRunner().invoke(app, ["backup"])
    assert "not encrypted" in written.output and "make restore-drill" in written.output
    drilled = CliRunner().invoke(app, ["restore-drill"])
    assert "can be restored" in drilled.output and "raw.users" in drilled.output
    refused = CliRunner().invoke(app, ["restore"])
    assert refused.exit_code == 2
    file = tmp_path / "before-upgrade.dump"
    assert CliRunner().invoke(app, ["backup", "--file", str(file)]).exit_code == 0
    assert file.exists()


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
    with pytest.raises(UsageError, match=r"ops\.theirs\(name text\) \(function\)"):
        restore(written.path, force=True)


@pytest.mark.parametrize("force", [False, True])
def test_a_dump_of_another_database_is_refused_before_anything_is_done(
    mirrored: str, force: bool, tmp_path: Path
) -> None:
    other, file = f"{mirrored}_shop", tmp_path / "shop.dump"
    sql(f"create database {other}", "postgres")
    sql("create schema shop; create table shop.raw as select 1 as mirror", other)
    arguments = [programs.program("pg_dump"), "-Fc", "-f", str(file), other]
    subprocess.run(arguments, env=postgres.variables(other), check=True)
    before = contents(mirrored)

    for name in ("", f"{mirrored}_foreign"):
        with pytest.raises(MirrorError, match="is no backup of this mirror: it has no table"):
            restore(file, name, force=force)

    assert contents(mirrored) == before
    assert beside(f"{mirrored}\\_%") == [other]


@pytest.mark.parametrize(
    "theirs",
    [
        "create schema shop",
        "create function price() returns int return 1",
        "create sequence tickets",
        "create type size as enum ('s', 'l')",
    ],
)
def test_a_database_with_anything_of_others_is_not_called_empty(
    unchanged: str, theirs: str
) -> None:
    written = backup()
    other = f"{unchanged}_shared"
    sql(f"create database {other} template template0", "postgres")
    sql(theirs, other)

    with pytest.raises(UsageError, match=r"not empty"):
        restore(written.path, other)


def test_the_drill_drops_no_database_of_others(mirrored: str) -> None:
    backup()
    sql(f"create database {mirrored}_drill_team template template0", "postgres")

    drill()

    assert beside(f"{mirrored}\\_drill\\_%") == [f"{mirrored}_drill_team"]


def test_a_backup_is_written_over_no_file_of_others(unchanged: str, tmp_path: Path) -> None:
    for name in ("plans.dump", "notes.dump.json"):
        (tmp_path / name).write_text("theirs")

    for name in ("plans.dump", "notes.dump"):
        with pytest.raises(UsageError, match="is no backup of this mirror"):
            backup(tmp_path / name)

    assert {path.name: path.read_text() for path in tmp_path.glob("*.*")} == {
        "plans.dump": "theirs",
        "notes.dump.json": "theirs",
    }
    backup(tmp_path / "own.dump")
    backup(tmp_path / "own.dump")  # which is ours to replace


def test_what_killed_backups_left_goes_and_unfinished_files_of_others_stay(
    unchanged: str, tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    left = archive.new_path(folder, unchanged, datetime(2025, 1, 1, tzinfo=UTC))
    left.with_name(f"{left.name}.part").write_text("half")
    (folder / "film.part").write_text("theirs")

    backup(directory=folder)

    assert [path.name for path in folder.glob("*.part")] == ["film.part"]
