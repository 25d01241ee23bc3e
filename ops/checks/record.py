"""Does `mirror` agree with what was listed and with the record in `ops`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base.lock import sessions
from extract.base.query import execute, exists, scalar
from extract.base.settings import MIN_GUARDED_ROWS
from ops.checks.result import Result, mirror, published_tables

LAST_PUBLICATIONS = """
select rows, published_at, allow_deletes from ops.runs
where published_at is not null and rows is not null order by published_at desc limit 2
"""
# Deletions on record that no publication made: rows that were kept no longer (Raw.delete_old).
GROWN_OLD = """
select table_name, sum(jsonb_array_length(keys))::bigint from ops.change_sets
where action = 'delete' and changed_at > %s
    and changed_at not in (select published_at from ops.runs where published_at is not null)
group by table_name
"""
KEY = """
select attname from pg_constraint inner join pg_attribute on attrelid = conrelid
where conrelid = to_regclass(%s) and contype = 'p' and attnum = any(conkey)
"""
IS_VIEW = "select relkind = 'v' from pg_class where oid = to_regclass(%s)"


def check_record(connection: Connection) -> Iterator[Result]:
    """The schema `ops` is there."""
    if not exists(connection, "ops.runs"):
        yield Result("record", "failed", "schema ops is missing; run `make extract` first")


def check_reconciliation(connection: Connection) -> Iterator[Result]:
    """Listed by the API, less what a rule left out, is what is published."""
    if not exists(connection, "ops.rejections"):
        return
    at_work = bool(sessions(connection))
    erased = bool(_erased_since_publication(connection))
    old = _grown_old(connection, scalar(connection, "select max(published_at) from ops.runs"))
    for table in published_tables(connection):
        name, listed_in = f"reconciles.{table}", _listed_in(connection, table)
        if not exists(connection, f"mirror.{table}"):
            yield Result(name, "skipped", f"mirror.{table} is not there")
            continue
        if not listed_in:  # no backup holds it
            detail = "what `dbt build` makes of raw is not there; run `make build`"
            yield Result(name, "skipped", detail)
            continue
        listed = scalar(connection, sql.SQL("select count(*) from {}").format(listed_in))
        left_out = _left_out(connection, table, listed_in, erased)
        published = scalar(connection, sql.SQL("select count(*) from {}").format(mirror(table)))
        detail = f"{listed:,} listed - {left_out:,} left out = {listed - left_out:,}"
        if listed - left_out == published:
            yield Result(name, "ok", detail)
        elif at_work:
            yield Result(name, "skipped", f"{detail}, {published:,} published: a run is at work")
        elif old.get(table):
            detail = f"{old[table]:,} rows that are kept no longer went since the publication"
            yield Result(name, "skipped", detail)
        else:
            yield Result(
                name,
                "failed",
                f"{detail}, but {published:,} are published; `dbt build` publishes what raw has",
            )


def check_row_counts(connection: Connection, max_delete_fraction: float) -> Iterator[Result]:
    """Tables hold what their publication counted, and no table shrank unasked since the one before.

    What erasures took since then, and what is kept no longer, is on record and right to be missing.
    """
    runs = execute(connection, LAST_PUBLICATIONS) if exists(connection, "ops.runs") else []
    if not runs:
        yield Result("row_counts", "skipped", "nothing was published yet")
        return
    counted, published_at, deletes_allowed = runs[0]
    before, published_before, _ = runs[1] if len(runs) > 1 else ({}, published_at, None)
    erased = _erased_since_publication(connection)
    old = _grown_old(connection, published_at)
    old_before = _grown_old(connection, published_before)
    for table in sorted(counted):
        if not exists(connection, f"mirror.{table}"):
            continue
        count = scalar(connection, sql.SQL("select count(*) from {}").format(mirror(table)))
        name, previous = f"row_counts.{table}", before.get(table)
        change = "" if previous is None else f", {count - previous:+,} since the publication before"
        if count != counted[table] - erased.get(f"mirror.{table}", 0) - old.get(table, 0):
            yield Result(
                name,
                "failed",
                f"{count:,} rows, but the publication counted {counted[table]:,}: somebody wrote "
                "to mirror by hand; the next `dbt build` puts it right",
            )
        elif (
            previous is not None
            and not deletes_allowed
            and previous - old_before.get(table, 0) - count >= MIN_GUARDED_ROWS
            and previous - old_before.get(table, 0) - count > previous * max_delete_fraction
        ):
            yield Result(
                name,
                "failed",
                f"{count:,} rows{change}: more than MAX_DELETE_FRACTION={max_delete_fraction:g} "
                "allows; see ops.changes",
            )
        else:
            yield Result(name, "ok", f"{count:,} rows{change}")


def _listed_in(connection: Connection, table: str) -> sql.Identifier | None:
    """What has one row for each that the API listed.

    The rules' own model, where it is a view; where it is a table, which is as old as the last
    build and empty after a crash, the staging view that it classifies row by row. Of a table whose
    rows come together from several (`int_…__resolved`) it is the rules' model in any case.
    """
    classified, resolved = f"int_{table}__classified", f"intermediate.int_{table}__resolved"
    if scalar(connection, IS_VIEW, (f"intermediate.{classified}",)) or exists(connection, resolved):
        return sql.Identifier("intermediate", classified)
    staging = f"stg_fortytwo__{table}"
    if exists(connection, f"staging.{staging}"):
        return sql.Identifier("staging", staging)
    return None


def _left_out(connection: Connection, table: str, listed_in: sql.Identifier, erased: bool) -> Any:
    """Listed rows that a rule leaves out, as the last publication recorded it.

    Rows of a person who was erased since are no longer listed, but may still be on record.
    """
    query: sql.Composable = sql.SQL(
        "select count(*) from ops.rejections where gone_at is null and table_name = %s"
    )
    if erased:
        columns = [name for (name,) in execute(connection, KEY, (f"mirror.{table}",))]
        parts = [part for name in columns for part in (sql.Literal(name), sql.Identifier(name))]
        key: sql.Composable = sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(parts))
        if "intermediate" in listed_in.strings:
            key = sql.SQL("key::jsonb")  # a row that has no campus yet is known by more
        query += sql.SQL(" and key in (select {} from {})").format(key, listed_in)
    return scalar(connection, query, (table,))


def _grown_old(connection: Connection, since: datetime | None) -> dict[str, int]:
    """Rows of mirror that went because they are kept no longer, by table."""
    if not exists(connection, "ops.change_sets"):
        return {}
    return dict(execute(connection, GROWN_OLD, (since,)))


def _erased_since_publication(connection: Connection) -> dict[str, int]:
    """Rows that erasures took, by `schema.table`."""
    if not exists(connection, "ops.erasures"):
        return {}
    return dict(
        execute(
            connection,
            "select gone.key, sum(gone.value::bigint)::bigint from ops.erasures "
            "cross join lateral jsonb_each_text(erasures.rows) as gone "
            "where erased_at > (select max(published_at) from ops.runs) group by gone.key",
        )
    )
