"""Restored into a database that is empty or not there: compared, or refused and untouched."""

from __future__ import annotations

import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from extract import programs
from extract.base import database
from extract.base.errors import MirrorError, UsageError
from extract.base.lock import run_lock
from extract.people import kept_out
from ops.backup import age, archive, databases, loading, postgres
from ops.backup.backup import backup
from ops.backup.restore import drill, restore
from ops.cli import app
from tests.helpers import sql
from tests.ops.backup.lab import beside, contents, drop, extract, keep_out


def test_a_restored_database_is_the_same_and_views_and_keys_are_there(unchanged: str) -> None:
    written = backup()

    done = restore(written.path, f"{unchanged}_other")

    assert done.compared
    assert done.tables == written.manifest.tables
    assert sql("select count(*) from analyst.mine", name=f"{unchanged}_other") == sql(
        "select count(*) from analyst.mine"
    )
    keys = (
        "select conrelid::regclass::text, conname from pg_constraint where contype in ('p', 'f') "
        "and connamespace::regnamespace::text in ('mirror', 'raw', 'ops') order by 1, 2"
    )
    assert sql(keys, name=f"{unchanged}_other") == sql(keys)
    # marts are not there: the next sync must build, whatever raw says
    assert sql(
        "select raw_signature from ops.runs where run_id = 'published'", name=f"{unchanged}_other"
    ) == [(None,)]


def test_dlt_goes_on_where_the_backup_was_made(
    unchanged: str, sandbox: str, tmp_path: Path
) -> None:
    written = backup()
    other = f"{unchanged}_other"
    restore(written.path, other)
    before = sql("select id, _dlt_load_id from raw.users order by id", name=other)

    extract(sandbox, tmp_path / "other", other)

    assert sql("select id, _dlt_load_id from raw.users order by id", name=other) == before
    assert sql("select count(*) from raw._dlt_version", name=other) == [(1,)]


def test_a_database_that_is_not_empty_is_refused_and_untouched(unchanged: str) -> None:
    written = backup()
    before = contents(unchanged)

    with pytest.raises(UsageError, match=r"not empty.*FORCE=1"):
        restore(written.path)

    assert contents(unchanged) == before


def test_no_run_goes_on_with_the_part_of_a_backup_that_a_killed_restore_leaves(
    unchanged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = backup()
    other = f"{unchanged}_other"
    sql(f"create database {other} template template0", name="postgres")
    monkeypatch.setenv("PGDATABASE", other)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(postgres, "checksums", killed)
        patched.setattr(databases, "empty", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            restore(written.path)

    with pytest.raises(UsageError, match="holds a part of a backup"), run_lock("live", "run"):
        pass
    with pytest.raises(UsageError, match="holds a part of a backup"):
        backup()
    assert "holds a part of a backup" in CliRunner().invoke(app, ["doctor"]).output.replace(
        "\n", " "
    )

    assert restore(written.path, force=True).compared
    assert backup().manifest.tables.keys() == written.manifest.tables.keys()


def test_nothing_is_restored_into_a_database_that_no_command_would_use(unchanged: str) -> None:
    written = backup()
    other = f"{unchanged}_ascii"
    sql(
        f"create database {other} template template0 encoding 'SQL_ASCII' locale 'C'",
        name="postgres",
    )

    with pytest.raises(UsageError, match="has the encoding SQL_ASCII"):
        restore(written.path, other)

    assert contents(other) == {}


@pytest.mark.parametrize("with_note", [True, False])
def test_a_new_machine_learns_who_stays_out_or_says_that_it_cannot(
    mirrored: str, with_note: bool
) -> None:
    keep_out(4242)
    written = backup()
    assert archive.manifest_path(written.path).stat().st_mode & 0o777 == 0o600
    kept_out.key_file().unlink()  # a machine that has nothing but the backup
    if not with_note:
        archive.manifest_path(written.path).unlink()

    done = restore(written.path, f"{mirrored}_elsewhere")

    with database.session("test", f"{mirrored}_elsewhere") as elsewhere:
        if with_note:
            assert 4242 in kept_out.load(elsewhere)
            assert not [note for note in done.notes if "stay out" in note]
        else:
            assert [note for note in done.notes if "are to stay out, but the key" in note]
            with pytest.raises(UsageError, match="are to stay out, but the key"):
                kept_out.load(elsewhere)


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
        app, ["restore", "--file", str(written.path), "--database", f"{unchanged}_other"]
    )

    assert result.exit_code == 0
    assert "not compared" in result.output
    assert rf"`make psql`, then `\c {unchanged}_other`" in " ".join(result.output.split())


def test_a_role_that_is_missing_loses_its_rights_and_nobody_else_does(mirrored: str) -> None:
    gone, here = (f"{name}_{uuid4().hex[:8]}" for name in ("gone", "here"))
    sql(
        f"create role {gone}; create role {here}; grant usage on schema mirror to {gone}, {here};"
        f"grant select on mirror.users to {gone}, {here} with grant option;"
        f"alter default privileges in schema mirror grant select on tables to {gone}, {here};"
        "create table analyst.notes as select 'x' as note; alter table analyst.notes enable row "
        f"level security; create policy all_of_it on analyst.notes to {gone} using (true)"
    )
    rights = (
        "select array(select aclitem::text from unnest(relacl || nspacl || defaclacl) as aclitem"
        " where aclitem::text not like 'gone%' order by 1) from pg_class inner join pg_namespace "
        "on pg_namespace.oid = relnamespace inner join pg_default_acl on defaclnamespace = "
        "pg_namespace.oid where pg_class.oid = 'mirror.users'::regclass"
    )
    written = backup()
    before = sql(rights)
    sql(f"drop owned by {gone}; drop role {gone}")
    try:
        done = restore(written.path, f"{mirrored}_other")

        assert here in str(before) and sql(rights, name=f"{mirrored}_other") == before
    finally:
        drop(f"{mirrored}\\_other")
        sql(f"drop owned by {here}; drop role {here}")
    assert done.compared
    assert gone in done.notes[0] and here not in str(done.notes)
    assert "CREATE POLICY all_of_it ON analyst.notes" in done.notes[1]


def test_default_privileges_of_a_role_that_is_not_ours_stop_no_restore(
    role: str, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql("alter default privileges in schema mirror grant select on tables to mirror_reader")
    written = backup()
    sql(f"alter role {role} createdb")
    monkeypatch.setenv("PGUSER", role)

    done = restore(written.path, f"{mirrored}_other")

    assert done.compared
    assert "Default privileges of fortytwo were left out" in done.notes[0]


def test_a_server_that_says_in_another_language_what_it_does_not_know_is_restored_into(
    unchanged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pg_restore"
    program.write_text(
        "#!/bin/sh\ncat >/dev/null\nexec >&2\n"
        "echo 'pg_restore: error: could not execute query: ERREUR:  paramètre de configuration "
        "« transaction_timeout » non reconnu'\necho 'Command was: SET transaction_timeout = 0;'\n"
        "exit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(loading.programs, "program", lambda *_: str(program))

    assert loading.load(program, unchanged, 150000) == []


@pytest.mark.parametrize("force", [False, True])
def test_a_dump_of_another_database_is_refused_before_anything_is_done(
    mirrored: str, force: bool, tmp_path: Path
) -> None:
    other, file = f"{mirrored}_shop", tmp_path / "shop.dump"
    sql(f"create database {other}", name="postgres")
    sql("create schema shop; create table shop.raw as select 1 as mirror", name=other)
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
    sql(f"create database {other} template template0", name="postgres")
    sql(theirs, name=other)

    with pytest.raises(UsageError, match=r"not empty"):
        restore(written.path, other)
