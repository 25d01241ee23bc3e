"""Backups of a real extraction: written, encrypted, refused, and nothing of others touched."""

from __future__ import annotations

import shutil
import stat
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from extract import embedded, programs
from extract.base import database
from extract.base.errors import BusyError, MirrorError, UsageError
from extract.base.folders import locked
from extract.base.lock import run_lock
from extract.base.settings import local_directory
from ops.backup import age, archive
from ops.backup.backup import backup
from ops.backup.restore import drill
from ops.cli import app
from tests.helpers import sql
from tests.ops.backup.lab import contents


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


def test_a_backup_is_one_moment_even_while_rows_are_written(mirrored: str) -> None:
    sql("create table mirror.left_side (n int); create table mirror.right_side (n int)")
    stop = threading.Event()

    def write() -> None:
        connection = database.connect("writer", autocommit=True, name=mirrored)
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


def test_of_two_backups_the_second_is_told_to_wait(unchanged: str) -> None:
    with (
        locked(local_directory() / "backup"),
        pytest.raises(BusyError, match="Another backup is under way"),
    ):
        backup()

    assert backup().path.exists()


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


def test_what_the_role_may_not_read_is_left_out_with_what_stands_on_it_and_named(
    role: str, mirrored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
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


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_full_disk_leaves_no_part_of_a_backup(
    encrypted: bool,
    unchanged: str,
    small_disk: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    place = small_disk(60)
    monkeypatch.setenv("BACKUP_DIRECTORY", str(place))
    if encrypted:
        monkeypatch.setenv("BACKUP_AGE_RECIPIENT", age.new_key(tmp_path / "key"))
    with pytest.raises(MirrorError, match="is full: the backup was not written"):
        backup()

    assert list(place.iterdir()) == []


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


def test_a_backup_that_no_other_server_can_restore_says_so_at_once(
    mirrored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = tmp_path / "pg_dump"
    newer.write_text(
        f"""#!/bin/sh
        [ "$1" = --version ] && echo 'pg_dump (PostgreSQL) 99.1' && exit
        exec {embedded.binary("pg_dump")} "$@"
        """
    )
    newer.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(programs, "program", lambda *_: str(newer))
        without = backup()
        # what PostgreSQL 15.20 does by itself
        sql("update pg_attribute set attoptions = '{pg_attver=1}' where attname = 'login'")
        printed = CliRunner().invoke(app, ["backup"]).output

    assert not without.note and "Only a server like this PostgreSQL " in printed
    with pytest.raises(MirrorError, match=r"pg_attver.*docs/upgrade\.md"):
        drill(archive.backups(without.path.parent)[0].path)


def test_the_commands_say_what_they_did_and_what_comes_next(unchanged: str, tmp_path: Path) -> None:
    written = CliRunner().invoke(app, ["backup"])
    assert "not encrypted" in written.output and "make restore-drill" in written.output
    drilled = CliRunner().invoke(app, ["restore-drill"])
    assert "can be restored" in drilled.output and "raw.users" in drilled.output
    refused = CliRunner().invoke(app, ["restore"])
    assert refused.exit_code == 2
    file = tmp_path / "a [red]" / "room [" / "b] :x:" / "before-upgrade.dump"
    file.parent.mkdir(parents=True)
    written = CliRunner().invoke(app, ["backup", "--file", str(file)])
    assert written.exit_code == 0 and str(file) in written.output
    assert file.exists()


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
    unchanged: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    monkeypatch.setenv("BACKUP_DIRECTORY", str(folder))
    left = archive.new_path(folder, unchanged, datetime(2025, 1, 1, tzinfo=UTC))
    left.with_name(f"{left.name}.part").write_text("half")
    (folder / "film.part").write_text("theirs")

    backup()

    assert [path.name for path in folder.glob("*.part")] == ["film.part"]
