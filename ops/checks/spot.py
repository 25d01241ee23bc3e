"""A spot check: random rows of `mirror` against what the API says about them now."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base.errors import CredentialsError
from extract.base.query import exists, records
from extract.load.record import refused_tables
from extract.tables import TABLES, Column, Table
from ops.checks.result import Result, mirror

Row = dict[str, Any]
Fetch = Callable[[str, Sequence[int]], Sequence[Row]]

# A reading that is older may have been right when it was made.
RECENT = timedelta(hours=1)
# After so many tables in a row without an answer the others are not asked.
PATIENCE = 2


def sample_rows(connection: Connection, sample: int) -> dict[str, list[Row]]:
    """Random rows of each table that can be asked for by id, by the raw table's name."""
    sampled: dict[str, list[Row]] = {}
    refused = refused_tables(connection)  # degraded, as another check says
    for table in TABLES.values():
        if table.name in refused:
            continue
        if table.primary_key != ("id",) or not exists(connection, f"mirror.{table.mirror}"):
            continue
        query = sql.SQL(
            "select * from {0} "
            "where id in (select id from {0} order by random() limit %s) order by id"
        )
        sampled[table.name] = records(connection, query.format(mirror(table.mirror)), (sample,))
    return sampled


def check_spots(
    sampled: dict[str, list[Row]], fetch: Fetch, read_at: Mapping[str, datetime | None]
) -> Iterator[Result]:
    """Compare the sampled rows with the API's, field by field.

    A row that is newer at the API than our reading of it is not wrong, its change is pending;
    neither is a field that moves by itself. A row that the API no longer has waits for the next
    full pass.

    Args:
        sampled: Published rows, by raw table.
        fetch: Asks the API for the rows of a raw table by their ids.
        read_at: When the API was last read for a table of mirror.
    """
    silent = 0
    for resource, published in sampled.items():
        declared = TABLES[resource]
        name = f"spot.{declared.mirror}"
        if not published:
            yield Result(name, "skipped", "the table is empty")
            continue
        if silent >= PATIENCE:
            yield Result(name, "skipped", "not asked: the tables before it had no answer")
            continue
        try:
            served = fetch(resource, [row["id"] for row in published])
        except CredentialsError as error:
            yield Result("spot", "failed", f"the API was not asked: {error}")
            return
        except Exception as error:  # noqa: BLE001  (whatever the client raises, say it and go on)
            silent += 1
            yield Result(name, "failed", f"could not ask the API: {error}")
            continue
        silent = 0
        read = read_at.get(declared.mirror)
        recent = read is not None and datetime.now(UTC) - read < RECENT
        yield _compare(declared, published, {row["id"]: row for row in served}, recent)


def _compare(declared: Table, published: list[Row], served: dict[int, Row], recent: bool) -> Result:
    wrong: dict[str, int] = {}
    equal = gone = pending = 0
    for row in published:
        current = served.get(row["id"])
        if current is None:
            gone += 1
            continue
        fields = set(differing_fields(declared, row, current)) - declared.moving
        if not fields:
            equal += 1
        elif _is_newer(current, row, recent):
            pending += 1
        else:
            for field in fields:
                wrong.setdefault(field, row["id"])
    name = f"spot.{declared.mirror}"
    detail = f"{equal} of {len(published)} rows equal"
    detail += f", {pending} changed at the API since they were read: pending" if pending else ""
    detail += f", {gone} no longer served" if gone else ""
    if wrong:
        shown = ", ".join(f"{field} (e.g. id {key})" for field, key in sorted(wrong.items()))
        return Result(name, "failed", f"{detail}; differing: {shown}; `make sync` reads them again")
    # One row may go at any time; half a sample does not.
    return Result.of(name, gone <= max(1, len(published) // 2), detail)


def differing_fields(declared: Table, published: Row, served: Row) -> Iterator[str]:
    """The columns of a published row that a payload, brought into raw's form, contradicts."""
    payload = dict(served)
    declared.bring_into_form([payload])
    for column in declared.columns:
        if column.name not in published or column.field not in payload:
            continue
        if _plain(column, published[column.name]) != _plain(column, payload[column.field]):
            yield column.name


def _plain(column: Column, value: Any) -> Any:
    """A value in a form in which equal things are equal."""
    if column.data_type == "timestamp":
        return _moment(value)
    return round(value, 9) if isinstance(value, float) else value


def _moment(value: Any) -> datetime | None:
    """A time in UTC; None of one that cannot be, which is null in raw."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _is_newer(served: Row, published: Row, recent: bool) -> bool:
    """Whether the API changed the row after we read it; rows without a date say it not at all."""
    there, here = (_moment(row.get("updated_at")) for row in (served, published))
    return there > here if there and here else not recent
