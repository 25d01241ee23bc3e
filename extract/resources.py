"""dlt resources, one per raw table: the contract's columns, merged by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from extract.contract import CONTRACTS, UNKNOWN_FIELDS, Contract
from extract.raw import delete_scope_condition

ROWS_A_TABLE = 5000


def resource(
    table: str,
    rows: Callable[..., Iterator[pa.Table]],
    cursor: Any = None,
    name: str | None = None,
) -> DltResource:
    """A dlt resource by the table's contract.

    `cdc` merges and deletes what the scope condition allows; without a scope it deletes nothing.
    """
    contract = CONTRACTS[table]

    def pages(updated_at: Any = cursor) -> Iterator[pa.Table]:
        yield from _large(rows() if updated_at is None else rows(updated_at))

    return dlt.resource(
        pages,
        name=name or table,
        table_name=table,
        columns=_hints(contract),
        primary_key=contract.primary_key,
        write_disposition={
            "disposition": "merge",
            "strategy": "cdc",
            "skip_unchanged_rows": True,
            "destination_scope": delete_scope_condition(table),
        },
    )


def _large(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in few tables: dlt works out the schema anew for each."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(one.num_rows for one in waiting) >= ROWS_A_TABLE:
            yield pa.concat_tables(waiting)
            waiting.clear()
    if waiting:
        yield pa.concat_tables(waiting)


def _hints(contract: Contract) -> dict[str, Any]:
    hints: dict[str, Any] = {
        column.name: {"data_type": column.data_type, "nullable": not column.not_null}
        for column in contract.columns
    }
    hints[UNKNOWN_FIELDS] = {"data_type": "json"}
    if len(contract.primary_key) == 1:
        # a real unique constraint: no path can load a row twice
        hints[contract.primary_key[0]]["unique"] = True
    return hints
