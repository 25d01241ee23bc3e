"""dlt resources, one per raw table: its declared columns, merged by key."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

import dlt
import pyarrow as pa
from dlt.extract import DltResource
from pyarrow import csv

from extract.base.folders import private_file
from extract.base.settings import working_directory
from extract.load.raw import delete_scope_condition
from extract.tables import UNKNOWN_FIELDS, Table

LOAD_ID = "_dlt_load_id"
ROWS_A_TABLE = 2000


def resource(declared: Table, pages: Callable[..., Iterator[Any]], name: str) -> DltResource:
    """A dlt resource as the table is declared.

    `cdc` merges and deletes what the scope condition allows; without a scope it deletes nothing.
    """
    return dlt.resource(
        pages,
        name=name,
        table_name=declared.name,
        columns={
            **hints(declared),
            LOAD_ID: {"data_type": "text", "precision": 64, "nullable": False},
        },
        primary_key=declared.primary_key,
        write_disposition={
            "disposition": "merge",
            "strategy": "cdc",
            "skip_unchanged_rows": True,
            "destination_scope": delete_scope_condition(declared.name),
        },
    )


def cursor(field: str, initial_value: datetime | int | None, lag: float) -> Any:
    """The cursor of a field, by which dlt knows where the next live pass goes on.

    Args:
        initial_value: Where the first one begins, and no later one before it.
        lag: What is read again each time, in seconds or ids.
    """
    # a row whose time is none is read like any other, and does not move the cursor
    return dlt.sources.incremental(
        field, initial_value=initial_value, lag=lag, on_cursor_value_missing="include"
    )


def as_file(
    declared: Table, tables: Iterator[pa.Table], has_effect: Callable[[], bool]
) -> Iterator[Any]:
    """The same rows as one csv file, to be copied as it is; nothing when there is no table.

    dlt would keep the tables in memory, write them to Parquet, read that and write csv.

    Args:
        has_effect: Whether a file without rows is loaded.
    """
    first = next(tables, None)
    if first is None:
        return
    load_id = pa.scalar(dlt.current.load_package_state()["load_id"])
    path = working_directory("dlt") / f"{declared.name}.csv"
    schema = _without_zones(declared.loaded_schema()).append(pa.field(LOAD_ID, pa.string()))
    count = 0
    try:
        # other users may not read people's rows, wherever the working folder is
        with private_file(path) as target, csv.CSVWriter(target, schema) as file:
            for table in _large(chain([first], tables)):
                loaded = table.append_column(LOAD_ID, pa.repeat(load_id, len(table)))
                file.write_table(loaded.cast(schema))
                count += len(table)
        if count or has_effect():
            # a list without rows: of None dlt's cursor would drop the file as well
            yield dlt.mark.with_file_import(str(path), "csv", count, [])
    finally:
        path.unlink(missing_ok=True)


def _without_zones(schema: pa.Schema) -> pa.Schema:
    """The schema with times that say UTC nowhere: Arrow writes them six times as fast.

    The load reads them as UTC (`ExactCsvCopyJob`).
    """
    return pa.schema(
        field.with_type(pa.timestamp(field.type.unit))
        if pa.types.is_timestamp(field.type)
        else field
        for field in schema
    )


def _large(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in few tables: the writer has much to do for each."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(one.num_rows for one in waiting) >= ROWS_A_TABLE:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting.clear()
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def hints(declared: Table) -> dict[str, Any]:
    """The columns as dlt is told of them."""
    hints: dict[str, Any] = {
        column.name: {"data_type": column.data_type, "nullable": not column.not_null}
        for column in declared.loaded
    }
    hints[UNKNOWN_FIELDS] = {"data_type": "json"}
    if len(declared.primary_key) == 1:
        # a real unique constraint: no path can load a row twice
        hints[declared.primary_key[0]]["unique"] = True
    return hints
