"""A spot check: random rows of `mirror` against what the API says about them now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor

from extract.tables import TABLES, Column, Table
from ops.checks.result import Result, exists, mirror

Row = dict[str, Any]
Fetch = Callable[[str, Sequence[int]], Sequence[Row]]

# mirror table -> raw table, of those whose rows have an id
RESOURCES = {
    table.mirror: table.name
    for table in TABLES.values()
    if table.mirror and table.primary_key == ("id",)
}


def sample_rows(connection: Connection, sample: int) -> dict[str, list[Row]]:
    """Random rows of each table that can be asked for by id."""
    sampled: dict[str, list[Row]] = {}
    for table in RESOURCES:
        if not exists(connection, f"mirror.{table}"):
            continue
        with connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(
                sql.SQL(
                    "select * from {0} "
                    "where id in (select id from {0} order by random() limit %s) order by id"
                ).format(mirror(table)),
                (sample,),
            )
            sampled[table] = [dict(row) for row in cursor.fetchall()]
    return sampled


def check_spots(
    sampled: dict[str, list[Row]], fetch: Fetch, published_at: datetime | None
) -> Iterator[Result]:
    """Compare the sampled rows with the API's, field by field.

    A row that the API has changed since the publication is not wrong, only older; neither is a
    field that moves by itself. A row that the API no longer has waits for the next full pass.
    """
    for table, published in sampled.items():
        name = f"spot.{table}"
        if not published:
            yield Result(name, "skipped", "the table is empty")
            continue
        try:
            served = fetch(RESOURCES[table], [row["id"] for row in published])
        except Exception as error:  # noqa: BLE001  (whatever the client raises, say it and go on)
            yield Result(name, "failed", f"could not ask the API: {error}")
            continue
        yield _compare(table, published, {row["id"]: row for row in served}, published_at)


def _compare(
    table: str, published: list[Row], served: dict[int, Row], published_at: datetime | None
) -> Result:
    declared = TABLES[RESOURCES[table]]
    wrong: dict[str, int] = {}
    equal = gone = newer = 0
    for row in published:
        current = served.get(row["id"])
        if current is None:
            gone += 1
            continue
        fields = set(differing_fields(declared, row, current)) - declared.moving
        if not fields:
            equal += 1
        elif _changed_since(current, published_at):
            newer += 1
        else:
            for field in fields:
                wrong.setdefault(field, row["id"])
    detail = f"{equal} of {len(published)} rows equal"
    detail += f", {newer} changed since" if newer else ""
    detail += f", {gone} no longer served" if gone else ""
    if wrong:
        shown = ", ".join(f"{field} (e.g. id {key})" for field, key in sorted(wrong.items()))
        return Result(f"spot.{table}", "failed", f"{detail}; differing: {shown}")
    # One row may go at any time; half a sample does not.
    return Result.of(f"spot.{table}", gone <= max(1, len(published) // 2), detail)


def differing_fields(declared: Table, published: Row, served: Row) -> Iterator[str]:
    """The columns of a published row that a payload, brought into raw's form, contradicts."""
    payload = dict(served)
    if declared.prepare:
        declared.prepare(payload)
    for column in declared.columns:
        if column.name not in published or column.field not in payload:
            continue
        if _plain(column, published[column.name]) != _plain(column, payload[column.field]):
            yield column.name


def _plain(column: Column, value: Any) -> Any:
    """A value in a form in which equal things are equal: instants in UTC, numbers as numbers."""
    if value is None:
        return None
    if column.data_type == "timestamp":
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    if column.data_type == "double":
        return round(float(value), 9)
    if column.data_type == "bigint":
        return int(value)
    return value


def _changed_since(payload: Row, published_at: datetime | None) -> bool:
    updated_at = payload.get("updated_at")
    if published_at is None or not updated_at:
        return False
    moment = datetime.fromisoformat(str(updated_at))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment > published_at
