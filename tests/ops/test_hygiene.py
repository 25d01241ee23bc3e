"""The database over the years: settings of hot tables, statistics, bloat, what is forgotten."""

from __future__ import annotations

import gzip
import json
import re
import time
from dataclasses import replace
from datetime import date, timedelta

import pytest
from psycopg2.extensions import connection as Connection

from extract.base import logs
from extract.base.database import connect
from extract.base.query import execute
from extract.base.settings import ROOT, local_directory
from extract.listing.cache import ListingCache
from extract.listing.columns import to_arrow
from extract.listing.listing import Finished
from extract.load.record import Record
from extract.programs import DBT
from extract.tables import TABLES
from extract.tables.ownership import mark
from ops.upkeep import housekeeping, hygiene
from tests.conftest import PUBLISHED
from tests.extract.test_listings import LISTING, row
from tests.helpers import run_program

# What a month leaves: 4,320 calls a day, which is a full pass, 96 live ones and the reconciliation.
# With every call that the API allows, all month long, ops.api_calls alone has 200 MB.
DAYS = 30
LARGEST_OPS = 40_000_000
LARGEST_LOGS = 40_000_000
LARGEST_LOCAL = 200_000_000  # beside the database and the backups


def options(connection: Connection, table: str) -> set[str]:
    found = execute(connection, f"select reloptions from pg_class where oid = '{table}'::regclass")
    return set(found[0][0] or [])


def test_hot_tables_get_their_settings_once_and_an_operators_own_stay(ops: Connection) -> None:
    execute(ops, "create schema raw; create table raw.users (id bigint)")
    execute(ops, "alter table ops.api_calls set (autovacuum_vacuum_scale_factor = 0.5)")

    first = hygiene.tune(ops)
    again = hygiene.tune(ops)

    assert {"raw.users", "ops.relation_reads", "ops.api_calls"} <= set(first)
    of_tables = {f"raw.{name}" for name in TABLES} | {f"mirror.{name}" for name in PUBLISHED}
    assert of_tables | {"snapshots.cursus_users_history"} <= hygiene.HOT.keys()
    assert again == []
    assert "autovacuum_vacuum_scale_factor=0.02" in options(ops, "raw.users")
    assert "fillfactor=80" in options(ops, "ops.relation_reads")
    assert "autovacuum_vacuum_scale_factor=0.5" in options(ops, "ops.api_calls")


def test_tables_that_a_load_has_changed_are_analyzed_and_others_not(ops: Connection) -> None:
    execute(
        ops,
        "create schema raw; create table raw.users (id bigint); create table raw.blocs (id bigint)",
    )
    execute(ops, "insert into raw.users select generate_series(1, 20000)")
    execute(ops, "insert into raw.blocs select generate_series(1, 10)")
    execute(ops, "select pg_stat_force_next_flush()")

    assert hygiene.analyze_changed(ops) == ["raw.users"]
    assert execute(ops, "select reltuples from pg_class where oid = 'raw.users'::regclass") == [
        (20000.0,)
    ]
    execute(ops, "select pg_stat_force_next_flush()")
    assert hygiene.analyze_changed(ops) == []


def test_a_table_of_ours_that_no_declaration_names_is_found_and_nobody_elses(
    ops: Connection,
) -> None:
    execute(
        ops,
        "create schema raw; create table raw.users (id bigint); create table raw.mine (id bigint); "
        "create table raw.groups_users (id bigint)",
    )
    mark(ops, "raw")
    (made,) = execute(ops, "select obj_description('raw.users'::regclass)")
    execute(ops, f"comment on table raw.groups_users is 'Groups. {made[0]}'")

    (advice,) = hygiene.report(ops)

    assert advice.startswith("raw.groups_users: this version has no such table")
    assert "drop table raw.groups_users" in advice


def test_bloat_is_found_and_a_full_table_is_not(ops: Connection) -> None:
    execute(ops, "create schema raw")
    for table in ("users", "campus"):
        execute(
            ops, f"create table raw.{table} (id bigint, name text) with (autovacuum_enabled = off)"
        )
        execute(
            ops, f"insert into raw.{table} select n, md5(n::text) from generate_series(1, 40000) n"
        )
    execute(ops, "delete from raw.users where id % 10 <> 0")
    execute(ops, "vacuum analyze raw.users, raw.campus")

    (advice,) = hygiene.report(ops, least_bytes=1_000_000)

    assert re.match(r"raw.users: about [1-9]\d* of its \d MB are empty", advice)
    assert "vacuum full raw.users" in advice


def test_an_unused_index_is_named_only_after_a_month_of_statistics(ops: Connection) -> None:
    execute(
        ops, "create schema mirror; create table mirror.users (id bigint primary key, name text)"
    )
    execute(ops, "insert into mirror.users select n, md5(n::text) from generate_series(1, 5000) n")
    execute(ops, "create index mine on mirror.users (name)")

    assert hygiene.report(ops, least_bytes=1000) == []
    query = hygiene.UNUSED.replace("interval '30 days'", "interval '-1 days'")
    found = execute(ops, query, {"least": 1000})
    assert [name for name, *_ in found if name.startswith("mirror.")] == ["mirror.mine"]


def test_housekeeping_waits_for_nobody_and_fails_nothing(
    ops: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(ops, "create schema raw; create table raw.users (id bigint)")
    holder = connect("holder")
    execute(holder, "lock table raw.users in access exclusive mode")
    logs.start()
    monkeypatch.setattr(housekeeping, "PATIENCE", "200ms")

    housekeeping.after_full(ops)

    (path,) = logs.directory().glob("*.jsonl")
    assert "LockNotAvailable" in path.read_text()
    assert execute(ops, "show lock_timeout") == [("0",)]
    holder.close()


MONTHS = """
insert into ops.runs (run_id, mode, status, started_at, finished_at, published_at, rows, versions,
    raw_signature, changes, rejected)
select
    'run-' || n, case n % 96 when 0 then 'full' else 'live' end,
    case when n % 8 = 0 then 'published' else 'unchanged' end,
    now() - n * interval '15 minutes', now() - n * interval '15 minutes',
    case when n % 8 = 0 then now() - n * interval '15 minutes' end,
    '{payload}', '{payload}', '{payload}', '{payload}', '{payload}'
from generate_series(1, 96 * {days}) as n;
insert into ops.listings (finished_at, run_id, resource, listing, rows, calls, readings)
select now() - n * interval '5 minutes', 'run-' || n, 'users', 'campus 1', 100, 1, 1
from generate_series(1, 288 * {days}) as n;
insert into ops.api_calls (called_at, run_id, path, query, page, status, rows, error, attempt,
    milliseconds, quota_left)
select now() - n * interval '20 seconds', 'run-20251121T010000Z-12345678', '/cursus/21/users',
    'filter[primary_campus_id]=1&sort=id', 1, 200, 100, '', 0, 500, 1000
from generate_series(1, 4320 * {days}) as n;
"""


def test_after_a_simulated_quarter_the_tables_hold_a_month(ops: Connection) -> None:
    payload = json.dumps({f"table_{n}": n for n in range(13)})
    execute(ops, MONTHS.format(days=90, payload=payload))

    for _ in range(2):  # the last run of each mode stays, however old
        Record(ops, "now").flush()
        housekeeping.prune(ops)

    calls = execute(
        ops, "select count(*), min(called_at) > now() - interval '31 days' from ops.api_calls"
    )
    assert calls[0][0] == pytest.approx(4320 * DAYS, rel=0.01) and calls[0][1]
    assert execute(ops, "select count(*) from ops.listings")[0][0] == pytest.approx(
        288 * DAYS, rel=0.01
    )
    unpublished = execute(ops, "select count(*) from ops.runs where published_at is null")[0][0]
    published = execute(ops, "select count(*) from ops.runs where published_at is not null")[0][0]
    assert unpublished == pytest.approx(84 * DAYS, rel=0.02)
    assert published == 12 * 90
    execute(ops, "vacuum full ops.api_calls, ops.listings, ops.runs")
    size = execute(
        ops,
        "select sum(pg_total_relation_size(oid)) from pg_class "
        "where relnamespace = 'ops'::regnamespace and relkind = 'r'",
    )[0][0]
    assert size < LARGEST_OPS, f"{size:,} bytes"


def test_the_last_run_of_each_mode_and_the_last_publication_stay(ops: Connection) -> None:
    execute(
        ops,
        "insert into ops.runs (run_id, mode, status, started_at, published_at) values "
        "('a', 'full', 'published', now() - interval '500 days', now() - interval '500 days'), "
        "('b', 'full', 'failed', now() - interval '490 days', null), "
        "('c', 'backfill', 'stopped', now() - interval '480 days', null), "
        "('d', 'backfill', 'stopped', now() - interval '485 days', null)",
    )

    assert housekeeping.prune(ops) == {"ops.runs": 1}
    assert execute(ops, "select run_id from ops.runs order by 1") == [("a",), ("b",), ("c",)]


def test_a_month_of_log_lines_stays_under_its_bound() -> None:
    """As many calls as the API allows, every hour of 60 days."""
    folder = logs.directory()
    folder.mkdir(parents=True)
    today = date(2025, 11, 21)
    line = (
        '{"time":"2025-11-21T01:00:00.000Z","level":"info","event":"api_call","run":"20251121T01'
        '0000Z-%08x","endpoint":"/cursus/21/users","query":"filter[primary_campus_id]=1&sort=id",'
        '"campus":"1","page":%d,"status":200,"rows":100,"retries":0,"milliseconds":%d,'
        '"quota_left":%d}\n'
    )
    sample = "".join(
        line % (n * 2654435761 % 2**32, n % 99, n % 977, n % 1200) for n in range(2880)
    )
    (folder / "one").write_text(sample)
    size, packed = len(sample), len(gzip.compress(sample.encode()))
    (folder / "one").unlink()
    for age in range(60):
        (folder / f"fortytwo-{today - timedelta(days=age)}.jsonl").write_text(sample)

    logs.tidy(folder, today)

    kept = sum(path.stat().st_size for path in folder.iterdir())
    assert kept <= 2 * size + logs.KEEP_DAYS * (packed + 200)
    assert kept * 10 < LARGEST_LOGS  # a tenth of the calls of a day was written


def test_the_servers_log_is_emptied_under_it_and_one_file_before_is_kept() -> None:
    log = local_directory() / "postgres.log"
    with log.open("ab") as server:
        server.write(b"LOG: checkpoint\n" * 700_000)
        server.flush()

        housekeeping.tidy_files()
        server.write(b"LOG: after\n")
        server.flush()

    assert log.read_bytes() == b"LOG: after\n"
    packed = log.with_name("postgres.log.1.gz")
    assert packed.stat().st_mode & 0o777 == 0o600
    assert gzip.decompress(packed.read_bytes()).startswith(b"LOG: checkpoint\n")
    housekeeping.tidy_files()
    assert log.exists()


@pytest.mark.slow
def test_after_a_month_local_is_as_small_as_the_handbook_says() -> None:
    """30 days of logs, of listings that nobody loaded, of a talkative server and of builds."""
    local = local_directory()
    (local / "logs").mkdir(parents=True)
    large = to_arrow(TABLES[LISTING.table], [row(number) for number in range(100)], "/x")
    line = b'{"time":"2025-11-21T01:00:00.000Z","event":"api_call","endpoint":"/users","page":1}\n'
    today = date(2025, 11, 21)
    for day in range(DAYS):
        (local / "logs" / f"fortytwo-{today - timedelta(days=DAYS - day)}.jsonl").write_bytes(
            line * 28_800
        )
        logs.tidy(local / "logs", today - timedelta(days=DAYS - day))
        kept = ListingCache(local / "listings")
        for number in range(100):
            listing = replace(LISTING, path=f"/{number}")
            kept.put(Finished(listing, large, 1, 1, time.time() - 86_400), "url")
        with (local / "postgres.log").open("ab") as server:
            server.write(b"LOG: checkpoint\n" * 100_000)
        housekeeping.tidy_files()
    dbt_log = local / "dbt" / "logs" / "dbt.log"
    dbt_log.parent.mkdir(parents=True)
    for name in ("dbt.log", *(f"dbt.log.{number}" for number in range(1, 6))):
        dbt_log.with_name(name).write_bytes(b"18:00:00  a line of dbt's\n" * 450_000)
    folders = ("--log-path", dbt_log.parent, "--target-path", local / "dbt" / "target")
    assert run_program(*DBT, "list", "--select", "users", *folders).returncode == 0

    files = [path for path in local.rglob("*") if path.is_file()]
    assert len(list(dbt_log.parent.iterdir())) == 6
    assert sum(path.stat().st_size for path in files) < LARGEST_LOCAL
    ListingCache(local / "listings")
    assert not list((local / "listings").iterdir())
    handbook = (ROOT / "docs" / "operate.md").read_text()
    assert f"{LARGEST_LOCAL // 10**6} MB" in handbook and f"{LARGEST_OPS // 10**6} MB" in handbook
