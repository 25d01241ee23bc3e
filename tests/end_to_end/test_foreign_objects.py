"""What this mirror did not make is never changed: whatever stands in its way stops it, named."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg2.extensions import connection as Connection
from rich.console import Console

from extract import embedded
from extract.base import database as databases
from extract.base.errors import UsageError
from extract.base.settings import local_directory
from extract.load.record import create_schema
from extract.tables.ownership import refuse_foreign_objects
from ops.backup.backup import backup
from ops.backup.restore import restore
from ops.sync import sync
from tests.conftest import DATABASE, Parsed, build_without_unit_tests
from tests.helpers import ROOT, api, places, run_module, run_program, set_variables, sql

UNREACHABLE = api()  # whoever asks the API before looking at the database fails otherwise
slow = partial(pytest.param, marks=pytest.mark.slow)
TYPE = "create type {name} as enum ('a')"
VIEW = "create view {name} as select 1 as id"
TABLE = "create table {name} as select 1 as id, 'theirs' as login"
IN_THE_WAY = [
    ("marts.users", "table", TABLE),
    ("marts.users", "materialized view", "create materialized view {name} as select 1 as id"),
    ("marts.users", "function", "create function {name}() returns int return 1"),
    ("marts.users__dbt_backup", "table", TABLE),
    ("mirror.campuses", "table", TABLE),
    ("mirror.users", "partitioned table", "create table {name} (id int) partition by list (id)"),
    ("mirror.users", "sequence", "create sequence {name}"),
    ("mirror.users", "type", TYPE),
    ("raw.users", "table", TABLE),
    ("raw._dlt_loads", "table", "create table {name} (load_id text)"),
    ("raw_staging.users", "view", VIEW),
    ("staging.stg_fortytwo__users", "view", VIEW),
    ("intermediate.int_rejected_rows", "type", "create domain {name} as int"),
    ("intermediate.users__differences", "table", TABLE),
    ("snapshots.users_history", "table", TABLE),
    ("reports.students_by_level", "view", VIEW),
    ("ops.runs", "table", TABLE),
    ("ops.publish", "function", "create function {name}() returns int return 1"),
    ("ops.listings", "foreign table", "create foreign table {name} (id int) server nowhere"),
    ("ops.runs_started_at_idx", "index", "create table ops.other (id int); "
     "create index runs_started_at_idx on ops.other (id)"),
]  # fmt: skip


def everything() -> str:
    """The whole database, its structure, grants and rows."""
    dump = run_program(embedded.binary("pg_dump"), os.environ["PGDATABASE"])
    assert dump.returncode == 0, dump.stderr
    return "\n".join(line for line in dump.stdout.splitlines() if not line.startswith("\\"))


@pytest.mark.parametrize(
    ("name", "kind", "statement"),
    IN_THE_WAY,
    ids=[f"{name}-{kind}" for name, kind, _ in IN_THE_WAY],
)
def test_whatever_has_a_name_of_ours_is_named_and_nothing_is_written(
    database: dict[str, str], name: str, kind: str, statement: str
) -> None:
    sql("create foreign data wrapper nothing; create server nowhere foreign data wrapper nothing")
    sql(f"create schema {name.split('.')[0]}")
    sql(statement.format(name=name))
    before = everything()

    with databases.session("test") as connection, pytest.raises(UsageError) as stopped:
        create_schema(connection)

    assert f"{name} ({kind})" in str(stopped.value)
    assert "PGDATABASE=" in str(stopped.value)
    assert everything() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("ops", "sync"),
        slow(("ops", "erase", "--id", "1")),
        ("extract", "run", "--mode", "live"),
        slow(("extract", "copy")),
    ],
    ids=" ".join,
)
def test_each_command_that_writes_is_stopped(
    database: dict[str, str], arguments: tuple[str, ...]
) -> None:
    sql("create schema mirror; create table mirror.users as select 1 as id, 'theirs' as login")
    before = everything()

    done = run_module(*arguments, **UNREACHABLE)

    assert done.returncode == 2, done.stdout + done.stderr
    assert "mirror.users (table)" in done.stderr
    assert everything() == before


@pytest.mark.parametrize(
    "verb", ["build", *(slow(verb) for verb in ("run", "snapshot", "run-operation"))]
)
def test_each_verb_of_dbt_that_writes_is_stopped(database: dict[str, str], verb: str) -> None:
    sql("create schema marts; create table marts.users as select 1 as id")
    before = everything()

    done = run_program(ROOT / "bin" / "dbt", verb)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "marts.users (table)" in done.stderr
    assert everything() == before


@pytest.mark.slow
def test_a_dbt_that_is_not_ours_is_stopped_too_before_it_makes_a_schema(
    database: dict[str, str], dbt_target: Path
) -> None:
    sql("create schema marts; create table marts.users as select 1 as id")
    before = everything()

    for selection in ((), ("--select", "users")):
        done = run_module("dbt.cli.main", "--no-use-colors", "build", *selection)
        assert done.returncode != 0
        assert "marts.users (table)" in done.stdout
    assert everything() == before


@pytest.fixture(scope="module")
def synced(
    postgres_server: dict[str, str],
    start_sandbox: Callable[..., str],
    parsed_project: Parsed,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, str]]:
    """The name of a database that a sync has filled, beside another project's; and the API."""
    local, address = tmp_path_factory.mktemp("synced"), start_sandbox()
    with pytest.MonkeyPatch.context() as patch:
        settings = {**postgres_server, **api(address), **places(local), "PGDATABASE": DATABASE}
        set_variables(patch, settings)
        target = local_directory() / "dbt" / "target"
        target.mkdir(parents=True)
        (target / "partial_parse.msgpack").write_bytes(parsed_project.memory.read_bytes())
        sql(f"drop database if exists {DATABASE} with (force)", name="postgres")
        sql(f"create database {DATABASE} template template0", name="postgres")
        sql(THEIRS)
        patch.setattr("ops.sync.dbt_build", build_without_unit_tests)
        sync("full", console=Console(file=io.StringIO()))
        kept = f"synced_{uuid4().hex[:8]}"
        sql(f"alter database {DATABASE} rename to {kept}", name="postgres")
        yield kept, address
        sql(f"drop database {kept} with (force)", name="postgres")


# another project in the same database, in schemas of the same names
THEIRS = """
create schema marts; create table marts.orders as select 1 as id;
create schema reports; create table reports.salaries as select 1 as id;
comment on schema reports is 'Theirs';
create schema analytics; create table analytics.users as select 1 as id;
"""


@pytest.fixture
def mirror(
    synced: tuple[str, str],
    database: dict[str, str],
    dbt_target: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Connection]:
    """A copy of the synced database of this test's own."""
    kept, address = synced
    set_variables(monkeypatch, api(address))
    sql(f"drop database {DATABASE} with (force)", name="postgres")
    sql(f"create database {DATABASE} template {kept} strategy file_copy", name="postgres")
    with databases.session("test") as connection:
        yield connection


def unmarked() -> list[object]:
    """Relations in the mirror's schemas without its mark."""
    rows = sql("""
        select relation.oid::regclass::text from pg_class as relation
        where relkind in ('r', 'v', 'm') and relnamespace::regnamespace::text = any(array[
            'raw', 'raw_staging', 'staging', 'intermediate', 'marts', 'mirror', 'reports',
            'snapshots', 'ops'
        ]) and coalesce(obj_description(oid, 'pg_class'), '') not like '%[fortytwo-mirror]'
        order by 1
    """)
    return [name for (name,) in rows]


@pytest.mark.slow
@pytest.mark.usefixtures("mirror")
@pytest.mark.timeout(900)  # several builds
def test_all_that_a_sync_makes_bears_the_mark_and_what_others_keep_beside_it_is_as_it_was() -> None:
    assert unmarked() == ["marts.orders", "reports.salaries"]
    assert sql("select * from marts.orders, reports.salaries, analytics.users") == [(1, 1, 1)]
    assert sql("select obj_description('reports'::regnamespace)") == [("Theirs",)]
    assert sql("select relacl from pg_class where relname in ('orders', 'salaries')") == [
        (None,), (None,)
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)  # several builds
def test_what_readers_add_survives_and_a_name_that_a_later_version_wants_stops_it(
    mirror: Connection,
) -> None:
    sql("""
        create view mirror.mine as select id from mirror.users;
        create table reports.notes as select 1 as id;
        create schema dashboards; create view dashboards.mine as select * from mirror.mine;
        create role some_dashboard; grant select on mirror.users to some_dashboard;
        update raw.users set wallet = wallet + 1
    """)
    try:
        assert build_without_unit_tests("readers") == 0
        assert sql("select count(*) > 0 from dashboards.mine, reports.notes") == [(True,)]
        assert sql("select has_table_privilege('some_dashboard', 'mirror.users', 'select')") == [
            (True,)
        ]
    finally:
        sql("drop owned by some_dashboard; drop role some_dashboard")

    sql("drop table marts.users cascade; create table marts.users as select 1 as id")
    with pytest.raises(UsageError, match=r"marts\.users \(table\)"):
        refuse_foreign_objects(mirror)


@pytest.mark.slow
@pytest.mark.usefixtures("mirror")
@pytest.mark.timeout(900)  # several builds
def test_the_mark_outlives_a_backup_that_is_restored_into_another_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BACKUP_DIRECTORY", str(tmp_path / "backups"))
    written = backup()
    try:
        restore(written.path, "restored_elsewhere")
        monkeypatch.setenv("PGDATABASE", "restored_elsewhere")
        assert unmarked() == ["reports.salaries"]
        sync("full", console=Console(file=io.StringIO()))
        assert sql("select count(*) > 0 from marts.users") == [(True,)]
    finally:
        monkeypatch.setenv("PGDATABASE", DATABASE)
        sql("drop database if exists restored_elsewhere with (force)")


UNMARK = """
do $$ declare entry record; begin
    for entry in
        select
            oid::regclass::text as name,
            case relkind when 'v' then 'view' else 'table' end as kind,
            left(obj_description(oid, 'pg_class'), -length(' [fortytwo-mirror]')) as comment
        from pg_class where obj_description(oid, 'pg_class') like '%[fortytwo-mirror]'
    loop
        execute format('comment on %s %s is %L', entry.kind, entry.name, nullif(entry.comment, ''));
    end loop;
end $$
"""


@pytest.mark.slow
@pytest.mark.timeout(900)  # several builds
def test_a_database_of_a_version_before_the_mark_is_taken_over_but_nothing_foreign_in_it(
    mirror: Connection,
) -> None:
    sql(UNMARK)
    sql("alter table marts.users rename to kept; create table marts.users as select 1 as id")
    before = everything()

    with pytest.raises(UsageError, match=r"way: marts\.users \(table\)\."):
        refuse_foreign_objects(mirror)
    assert everything() == before

    sql("drop table marts.users; alter table marts.kept rename to users")
    refuse_foreign_objects(mirror)
    assert unmarked() == ["marts.orders", "reports.salaries"]


def test_without_what_only_the_mirror_leaves_nothing_is_taken_over(
    database: dict[str, str],
) -> None:
    sql("""
        create schema mirror; create table mirror.cursus (id int);
        comment on table mirror.cursus is 'Ours'; comment on column mirror.cursus.id is 'Key'
    """)
    refused = pytest.raises(UsageError, match=r"mirror\.cursus")
    with databases.session("test") as connection, refused:
        refuse_foreign_objects(connection)
