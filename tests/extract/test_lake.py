"""The copy into a folder: one moment by its manifest, and no more written than has changed."""

from __future__ import annotations

import errno
import json
import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import psycopg2
import pyarrow.parquet as pq
import pytest

from extract.base import database as databases
from extract.base.errors import BusyError, MirrorError, UsageError
from extract.base.lock import COPY_LOCK
from extract.base.settings import ROOT, lake_url
from extract.load import lake
from extract.load.copy import copy
from extract.load.raw import Raw
from extract.load.record import Record
from extract.people.erase import erase
from tests.dbt.world import create_raw
from tests.helpers import sql

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", f"file://{tmp_path}/lake")
    create_raw()
    sql("truncate raw.users")
    sql(
        "insert into raw.users (id, login, wallet) "
        "select n, 'login' || n, n from generate_series(1, 1000) as n"
    )
    return tmp_path / "lake" / "raw"


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / lake.MANIFEST).read_text()))


def in_lake(folder: Path, table: str, columns: str) -> list[tuple[Any, ...]]:
    """A table as a reader finds it who goes by the manifest."""
    named = manifest(folder)["tables"][table]
    rows, gone = ([str(folder / f["name"]) for f in named[kind]] for kind in ("files", "gone"))
    query = f"select {columns} from read_parquet({rows}) as live"
    if gone:
        same = " and ".join(f"gone.{name} = live.{name}" for name in named["key"])
        query += (
            f" where not exists (from read_parquet({gone}) as gone"
            f" where {same} and gone._copy > live._copy)"
        )
    return sorted(duckdb.connect().execute(query).fetchall())


def in_database(table: str, columns: str, schema: str = "raw") -> list[tuple[Any, ...]]:
    return sorted(sql(f"select {columns} from {schema}.{table}"))


def assert_whole(
    folder: Path, table: str = "users", columns: str = "id, login, wallet", schema: str = "raw"
) -> None:
    """A reader of the copy finds a table as the database has it."""
    assert in_lake(folder, table, columns) == in_database(table, columns, schema)


def test_a_key_of_two_columns_changes_and_goes_too(folder: Path) -> None:
    sql(
        "insert into ops.relation_reads (resource, user_id, read_at, checked_at) "
        "select 'projects_users', n, '2026-01-01', now() from generate_series(1, 100) as n"
    )
    copy("filesystem")
    columns = "resource, user_id, read_at::date"

    sql("update ops.relation_reads set read_at = '2026-01-02' where user_id in (7, 8)")
    copy("filesystem")

    assert_whole(folder, "relation_reads", columns, "ops")

    sql("update ops.relation_reads set read_at = '2026-02-01' where user_id <= 3")
    sql("delete from ops.relation_reads where user_id between 4 and 6")
    sql(
        "insert into ops.relation_reads (resource, user_id, read_at, checked_at) "
        "values ('achievements_users', 5, '2026-02-01', now())"
    )
    copy("filesystem")

    assert len(in_database("relation_reads", columns, "ops")) == 98
    assert_whole(folder, "relation_reads", columns, "ops")


def data_files(folder: Path) -> set[str]:
    return {os.fspath(path.relative_to(folder)) for path in folder.rglob("*.parquet")}


def test_a_copy_adds_what_changed_and_leaves_out_what_is_gone(folder: Path) -> None:
    assert copy("filesystem")["users"] == 1000
    whole = data_files(folder)
    size = (folder / "users" / "000001.rows.parquet").stat().st_size

    copy("filesystem")

    assert data_files(folder) == whole

    sql("update raw.users set wallet = -3 where id between 4 and 8")
    assert copy("filesystem")["users"] == 1000

    assert_whole(folder)
    whole = data_files(folder)

    sql("update raw.users set wallet = -1 where id <= 5")
    sql("delete from raw.users where id between 6 and 10")
    sql("insert into raw.users (id, login) values (2000, 'new')")
    sql("delete from raw.campus_achievements")
    assert copy("filesystem")["users"] == 996

    added = data_files(folder) - whole
    assert added == {"users/000004.rows.parquet", "users/000004.gone.parquet"}
    assert sum((folder / name).stat().st_size for name in added) < size / 2
    assert_whole(folder)

    # back, changed a second time, and gone for good
    sql("insert into raw.users (id, login) values (6, 'back')")
    sql("update raw.users set wallet = -2 where id in (5, 2000)")
    sql("delete from raw.users where id = 1")
    copy("filesystem")

    assert_whole(folder)
    # of a table in which nothing else has changed
    sql("delete from raw.users where id = 3")
    copy("filesystem")

    assert_whole(folder)
    assert in_lake(folder, "projects", "id, campus") == in_database("projects", "id, campus::text")
    private = {path.stat().st_mode & 0o077 for path in folder.rglob("*")}
    assert private == {0}


def test_a_table_is_written_anew_when_much_of_its_files_counts_no_more(folder: Path) -> None:
    copy("filesystem")
    sql("update raw.users set wallet = -1 where id <= 500")
    copy("filesystem")
    assert len(manifest(folder)["tables"]["users"]["files"]) == 2

    copy("filesystem")

    assert [f["name"] for f in manifest(folder)["tables"]["users"]["files"]] == [
        "users/000003.rows.parquet"
    ]
    # the last manifest's readers still find theirs, those of the one before do not
    assert {"users/000001.rows.parquet", "users/000002.gone.parquet"} <= data_files(folder)
    copy("filesystem")
    assert {name for name in data_files(folder) if name.startswith("users/")} == {
        "users/000003.rows.parquet"
    }


def test_a_copy_after_an_erasure_holds_nothing_of_the_person_in_any_file(folder: Path) -> None:
    sql("update raw.users set first_name = 'Odalric' where id = 7")
    copy("filesystem")
    with databases.session("test") as connection:
        erase(connection, [7], "on request", "run", keep_out=False)

    copy("filesystem")

    assert_whole(folder)
    assert in_database("deleted_rows", "count(*)", "ops") == [(0,)]
    found = duckdb.sql(f"select first_name from read_parquet('{folder}/users/*.rows.parquet')")
    assert ("Odalric",) not in found.fetchall()


@pytest.mark.parametrize(
    "change",
    [
        "truncate raw.users; insert into raw.users (id, login) select generate_series(2, 2000), ''",
        "drop trigger record_deleted_rows on raw.users; delete from raw.users where id = 1",
        "alter table raw.users disable trigger all; delete from raw.users where id = 1",
    ],
)
def test_a_table_whose_deletions_are_not_on_record_is_written_anew(
    folder: Path, change: str
) -> None:
    copy("filesystem")
    sql(change)
    for wallet in (-1, -2):
        copy("filesystem")
        assert_whole(folder)
        # on record again, by the next load
        sql("alter table raw.users enable trigger all")
        with psycopg2.connect("") as connection:
            Raw(connection).record_deletions()
        sql(f"delete from raw.users where id = {1 - wallet}")
        sql(f"update raw.users set wallet = {wallet} where id = 9")
    copy("filesystem")
    assert_whole(folder)
    assert "campus/000002.rows.parquet" not in data_files(folder)


def test_a_copy_is_whole_before_a_deletion_goes_from_the_record(folder: Path) -> None:
    copy("filesystem")
    sql("delete from raw.users where id = 1")
    sql("update ops.deleted_rows set deleted_at = deleted_at - interval '30 days 1 minute'")
    of_then = manifest(folder)
    for table in of_then["tables"].values():
        written_at = datetime.fromisoformat(table["written_at"])
        table["written_at"] = (written_at - timedelta(days=30, minutes=1)).isoformat()
    (folder / lake.MANIFEST).write_text(json.dumps(of_then))
    with databases.session("test") as connection:
        Record(connection, "run").flush()
    assert in_database("deleted_rows", "count(*)", "ops") == [(0,)]

    copy("filesystem")

    assert_whole(folder)


def test_a_copy_that_is_killed_leaves_the_last_one_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lake.Lake, "_remove_all_but", stop)
        patch.setattr(lake, "_names", stop)
        with pytest.raises(KeyboardInterrupt):
            copy("filesystem")
    assert manifest(folder)["tables"] == {}
    assert copy("filesystem")["users"] == 1000

    before = in_lake(folder, "users", "id, wallet")
    sql("update raw.users set wallet = -1")
    with monkeypatch.context() as patch:
        patch.setattr(lake, "_names", stop)
        with pytest.raises(KeyboardInterrupt):
            copy("filesystem")

    assert in_lake(folder, "users", "id, wallet") == before
    copy("filesystem")
    assert_whole(folder)


def test_a_table_whose_files_are_gone_or_damaged_is_written_anew(folder: Path) -> None:
    copy("filesystem")
    (folder / "users" / "000001.rows.parquet").unlink()
    os.truncate(folder / "projects" / "000001.rows.parquet", 0)  # as after a power cut

    copy("filesystem")

    assert_whole(folder)
    assert_whole(folder, "projects", "id")
    assert "campus/000002.rows.parquet" not in data_files(folder)


@pytest.mark.parametrize("seen", ["later transactions", "a run of later"])
def test_a_copy_of_a_server_whose_files_were_put_back_is_whole(folder: Path, seen: str) -> None:
    copy("filesystem")
    of_later = manifest(folder)
    if seen == "later transactions":
        of_later["changed_from"] += 1000
    else:
        of_later["run"] = "20991231T000000Z-0a0a0a0a"
    (folder / lake.MANIFEST).write_text(json.dumps(of_later))
    one = folder / "users" / "000001.rows.parquet"  # with a row as the database no longer has it
    with duckdb.connect() as engine:
        engine.execute(
            f"copy (select * replace (if(id = 5, -5, wallet) as wallet) from '{one}') to '{one}'"
        )
    of_later["tables"]["users"]["files"][0]["bytes"] = one.stat().st_size
    (folder / lake.MANIFEST).write_text(json.dumps(of_later))

    copy("filesystem")

    assert_whole(folder)


def test_a_table_of_very_many_files_is_written_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake, "MOST_FILES", 4)
    for wallet in range(4):
        sql(f"update raw.users set wallet = {wallet} where id = 1")
        copy("filesystem")
    assert len(manifest(folder)["tables"]["users"]["files"]) == 1
    assert_whole(folder)


def test_a_folder_is_the_same_for_whoever_reads_and_writes_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    name = """it's 50% "done", n\u00e9"""
    for url in (f"~/{name}", f"file://{tmp_path}/{quote(name)} 2", f"{tmp_path}/{name} 3"):
        monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", url)
        copy("filesystem")
        assert (Path(lake_url()) / "raw" / lake.MANIFEST).is_relative_to(tmp_path)
        assert (Path(lake_url()) / "raw" / lake.MANIFEST).is_file()
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", "below/it")
    assert lake_url() == os.fspath(ROOT / "below" / "it")
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", "s3://of/others")
    assert lake_url() == "s3://of/others"


def full_disk(*arguments: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")  # as of a library: it names no file


def ended_by_the_server(itself: Any, table: Any, connection: Any) -> None:
    sql(f"select pg_terminate_backend({connection.get_backend_pid()})")
    connection.cursor().execute("select")


@pytest.mark.parametrize(
    ("place", "name", "stop", "error", "words"),
    [
        (pq.ParquetWriter, "write_table", full_disk, MirrorError, r"not be written: .*No space"),
        (lake.Lake, "_written", ended_by_the_server, psycopg2.Error, r"terminat|closed"),
    ],
)
def test_what_stops_a_copy_is_said_and_leaves_the_last_one(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    name: str,
    stop: Any,
    error: type[Exception],
    words: str,
) -> None:
    copy("filesystem")
    sql("update raw.users set wallet = -1 where id = 1")
    before = in_lake(folder, "users", "id, wallet")

    with monkeypatch.context() as patch:
        patch.setattr(place, name, stop)
        with pytest.raises(error, match=words):
            copy("filesystem")

    assert in_lake(folder, "users", "id, wallet") == before
    copy("filesystem")
    assert_whole(folder)


def test_all_tables_of_a_copy_are_of_one_moment_whoever_searches_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy("filesystem")
    sql("update raw.users set wallet = -1 where id = 1")
    moment = in_database("users", "id, wallet")
    beside, search = lake._beside, lake.Lake._written

    def later(connection: Any) -> Any:
        sql("update raw.users set wallet = -2 where id = 2")
        sql("insert into raw.users (id, login) values (2000, 'later')")
        made = beside(connection)
        monkeypatch.setattr(lake.Lake, "_written", lambda *both: search(*both[:2], made))
        return made

    with monkeypatch.context() as patch:
        patch.setattr(lake, "_beside", later)
        assert copy("filesystem")["users"] == 1000
    assert in_lake(folder, "users", "id, wallet") == moment
    monkeypatch.setattr(lake.Lake, "_written", search)
    copy("filesystem")
    assert_whole(folder)


def test_a_second_copy_at_the_same_time_is_told_to_wait(folder: Path) -> None:
    with psycopg2.connect("") as other, other.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", COPY_LOCK)
        with pytest.raises(BusyError, match="Another `make copy` is at work"):
            copy("filesystem")
    assert copy("filesystem")["users"] == 1000


def test_a_copy_waits_for_no_publication_and_none_for_a_copy(folder: Path) -> None:
    functions = ROOT / "dbt_project" / "macros" / "publication" / "functions.sql"
    (lock,) = re.findall(r"pg_advisory_xact_lock\(\d+, \d+\)", functions.read_text("utf-8"))

    with psycopg2.connect("") as publication, publication.cursor() as cursor:
        cursor.execute(f"select {lock}")
        assert copy("filesystem")["users"] == 1000


def test_a_folder_with_files_of_others_is_named_and_left_alone(folder: Path) -> None:
    folder.mkdir(parents=True)
    theirs = folder / "theirs.csv"
    theirs.write_text("1,2\n")

    with pytest.raises(UsageError, match="files that no copy of this database made"):
        copy("filesystem")

    assert [path.name for path in folder.rglob("*")] == ["theirs.csv"]
    theirs.rename(folder.parent / "theirs.csv")
    copy("filesystem")

    for content in ("", "[]", "no json"):
        saved = (folder / lake.MANIFEST).read_text()
        (folder / lake.MANIFEST).write_text(content)
        with pytest.raises(UsageError, match="files that no copy of this database made"):
            copy("filesystem")
        (folder / lake.MANIFEST).write_text(saved)

    of_another_database = manifest(folder) | {"database": "1/another"}
    (folder / lake.MANIFEST).write_text(json.dumps(of_another_database))
    with pytest.raises(UsageError, match="files that no copy of this database made"):
        copy("filesystem")
