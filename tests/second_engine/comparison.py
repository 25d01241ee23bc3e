"""Every table and report of two engines, row by row, value by value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from extract.programs import DBT
from extract.tables import TABLES as DECLARED
from extract.tables import UNKNOWN_FIELDS
from tests.conftest import PUBLISHED
from tests.helpers import ROOT, run_program

# history stands on the snapshots, which are PostgreSQL's
REPORTS = [
    path.stem
    for path in (ROOT / "dbt_project" / "models" / "reports").rglob("*.sql")
    if not path.stem.startswith("int_") and path.parent.name != "history"
]
COMPARED = {
    **{f"reports.{name}": ["*"] for name in REPORTS},
    **{f"marts.{name}": ["*"] for name in PUBLISHED},
    "intermediate.int_rejected_rows": ["table_name", "key", "rule"],
    **{
        f"raw.{name}": [
            *(c.name for c in contract.columns if c.name not in contract.set_apart),
            UNKNOWN_FIELDS,
        ]
        for name, contract in DECLARED.items()
    },
}
JSONB = 3802  # PostgreSQL's number of the type
# What a query finds: the columns' names, and the rows.
Found = tuple[Sequence[str], Iterable[Sequence[Any]]]
ROWS_AT_ONCE = 10_000
TRIES = 5
# What goes on while the second engine is asked a little later.
UP_TO_NOW = (
    *("reports.activity_by_hour", "reports.blackhole_outlook", "reports.cluster_occupancy"),
    *("reports.last_seen", "reports.logtime_by_week", "reports.students_by_level"),
    *("reports.students_by_status", "reports.upcoming_agenda"),
)
# What depends on the time zone data that each engine brings along.
BY_LOCAL_TIME = ("reports.activity_by_hour", "reports.logtime_by_week")
LOCAL_TIME = "cast(instant as timestamptz) at time zone time_zone"
DAYS = 200  # more than these reports show of the sandbox


def build(target: str, log: Path) -> None:
    """`dbt build` on a target of profiles.yml, all tests included."""
    command = (*DBT, "--no-use-colors", "build", "--target", target)
    done = run_program(*command, DBT_TARGET_PATH=str(log), DBT_LOG_PATH=str(log))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def assert_same_as_on_postgresql(
    query: Callable[[str], Found], local_time: str = LOCAL_TIME
) -> None:
    """Hold every table, the rejected rows and every report against those in the database.

    Of a network's tables only one side is held in memory.

    Args:
        query: Asks the other engine.
        local_time: There, the time in `time_zone` at `instant`, which is text.
    """
    differing, empty = {}, []
    with psycopg2.connect("") as connection:
        other_clocks = _with_other_clocks(connection, query, local_time)
        for table, columns in COMPARED.items():
            text = f"select {', '.join(columns)} from {table}"
            if table in BY_LOCAL_TIME and other_clocks:
                text += f" where campus_id not in ({', '.join(map(str, other_clocks))})"
            for _ in range(TRIES if table in UP_TO_NOW else 1):
                rows, difference = _difference(connection, query, text)
                if not difference:
                    break
            if difference:
                differing[table] = difference
            if not rows:
                empty.append(table)
    connection.close()

    assert not differing, differing
    # whose blackhole is near depends on the day, and so does what is on
    assert set(empty) <= {"reports.blackhole_outlook", "reports.upcoming_agenda"}


def _difference(
    connection: Connection, query: Callable[[str], Found], text: str
) -> tuple[int, dict[str, list[str]]]:
    """How many rows PostgreSQL has, and some of those that only one engine has."""
    connection.commit()  # now() is when a transaction began
    expected = Counter(_on_postgresql(connection, text))
    total, more = expected.total(), []
    names, rows = query(text)
    for row in comparable(names, rows, _json_columns(connection, text)):
        if expected[row] > 1:
            expected[row] -= 1
        elif row in expected:
            del expected[row]
        else:
            more.append(row)
    if not expected and not more:
        return total, {}
    return total, {"PostgreSQL only": list(expected)[:2], "the other only": more[:2]}


def _with_other_clocks(
    connection: Connection, query: Callable[[str], Found], local_time: str
) -> list[int]:
    """Campuses where the engines' clocks differ in some hour: one has older time zone data.

    Morocco's change of September 2026 is in DuckDB 1.5 and not in PostgreSQL 18.4, and the hour of
    Moldova's changes is another one in Java 17.
    """
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    instants = ", ".join(f"('{now - timedelta(hours=n)}')" for n in range(24 * DAYS))

    def hours(of: str) -> str:
        return (
            f"select id, instant, extract(hour from {of}) from marts.campuses "
            f"cross join (values {instants}) as instants (instant)"
        )

    def read(rows: Iterable[Sequence[Any]]) -> set[tuple[int, str, int]]:
        return {(campus_id, instant, int(hour)) for campus_id, instant, hour in rows}

    with connection.cursor() as cursor:
        cursor.execute(hours(LOCAL_TIME))
        here = read(cursor)
    differing = {campus_id for campus_id, *_ in here ^ read(query(hours(local_time))[1])}
    assert len(differing) < len({campus_id for campus_id, *_ in here}) / 10, differing
    return sorted(differing)


def _on_postgresql(connection: Connection, text: str) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute("set timezone to 'UTC'")
    json_columns = _json_columns(connection, text)
    with connection.cursor("rows") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(text)
        first = cursor.fetchmany(1)  # before it the columns are not known
        names = [column.name for column in cursor.description or ()]
        yield from comparable(names, chain(first, cursor), json_columns)


def _json_columns(connection: Connection, text: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"{text} limit 0")
        return {c.name for c in cursor.description or () if c.type_code == JSONB}


def comparable(
    names: Sequence[str], rows: Iterable[Sequence[Any]], json_columns: set[str]
) -> Iterator[str]:
    """Each row by column name: JSON without its spaces and order, numbers without their type."""
    for row in rows:
        values = dict(zip(names, row, strict=True))
        for name in json_columns:
            if isinstance(values[name], str):
                values[name] = json.loads(values[name])
        yield json.dumps(values, sort_keys=True, default=_without_type)


def _without_type(value: Any) -> Any:
    if isinstance(value, datetime):
        value = value.astimezone(UTC)
    return value.isoformat() if isinstance(value, date) else float(value)  # else a Decimal
