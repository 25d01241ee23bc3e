"""The summary at the end of a sync: what was read, left out, changed, and how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from rich.console import Console
from rich.table import Column, Table

from extract.base.query import execute, scalar
from extract.tables import TABLES, backfilled, streams_on

if TYPE_CHECKING:  # dlt takes a second to import
    from extract.run import Extracted


def print_summary(connection: Connection, run_id: str, done: Extracted, console: Console) -> None:
    """Print it. Counts come from the database, not from what we believe we wrote."""
    query = "select status, changes, rows from ops.runs where run_id = %s"
    ((status, changes, rows),) = execute(connection, query, (run_id,)) or [("unknown", None, None)]
    rejected = execute(
        connection,
        "select rule, count(*) from ops.rejections where gone_at is null "
        "group by rule order by rule",
    )
    rows = rows or _mirror_rows(connection)
    console.print()
    console.print(_table(rows, changes or {}))
    if not all(rows.get(TABLES[name].mirror, 1) for name in backfilled(streams_on())):
        console.print(
            "Tables without rows fill with `make sync MODE=backfill` or the schedule; "
            "`make streams` shows what is off."
        )
    if rejected:
        console.print()
        console.print("Left out by a rule (ops.rejected_rows)", style="bold")
        for rule, count in rejected:
            console.print(f"  {rule:<44} {count:>9,}", highlight=False)
    console.print()
    phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in done.seconds.items())
    calls = ", ".join(f"{name} {count:,}" for name, count in done.calls_of.items() if count)
    console.print(f"{done.calls:,} API calls ({calls})", highlight=False)
    console.print(f"{phases}", highlight=False)
    for remark in done.remarks():
        console.print(remark, markup=False, highlight=False, soft_wrap=True)
    style = "green" if status in ("published", "unchanged") else "red"
    console.print(f"[{style}]{status}[/{style}]  run {run_id}", highlight=False)


def _table(rows: dict[str, int], changes: dict[str, Any]) -> Table:
    counts = ("rows", "inserted", "updated", "deleted")
    figures = (Column(name, justify="right") for name in counts)
    table = Table("mirror table", *figures, box=None, pad_edge=False)
    for name, count in sorted(rows.items()):
        change = changes.get(name, {})
        table.add_row(
            name,
            f"{count:,}",
            *(f"{change.get(kind, 0):,}" for kind in counts[1:]),
        )
    return table


def _mirror_rows(connection: Connection) -> dict[str, int]:
    tables = "select tablename from pg_tables where schemaname = 'mirror' order by 1"
    count = sql.SQL("select count(*) from mirror.{}")
    return {
        name: scalar(connection, count.format(sql.Identifier(name)))
        for (name,) in execute(connection, tables)
    }
