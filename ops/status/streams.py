"""`make streams`: which parts of the mirror are read, what each costs and holds; dropping one."""

import math
from datetime import UTC, datetime
from typing import Annotated

import typer
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from rich.console import Console
from rich.table import Table as Printed

from extract.base import database
from extract.base.errors import UsageError
from extract.base.lock import new_run_id, run_lock
from extract.base.query import execute, transaction
from extract.console import make_console
from extract.listing.listing import batches_of_parents
from extract.load.raw import Raw, of_reads
from extract.load.record import Record, create_schema
from extract.tables import TABLES, Table, streams_on
from extract.tables.streams import ESSENTIAL, STREAMS
from ops.status.view import ago

app = typer.Typer()
READ = """
select resource, max(finished_at),
    coalesce(sum(calls) filter (where finished_at > now() - interval '24 hours'), 0)::bigint
from ops.listings group by resource
"""


@app.command()
def streams(
    drop: Annotated[str, typer.Option(help="Forget the rows of a stream that is off.")] = "",
    confirm: Annotated[bool, typer.Option("--confirm", help="Do it.")] = False,
) -> None:
    """Show each stream: on or off, its tables, calls, rows and freshness, and what is refused."""
    on = streams_on()
    console = make_console(soft_wrap=True)
    if drop:
        _drop(drop, on, console, confirm=confirm)
        return
    with database.session("streams") as connection:
        create_schema(connection)
        _show(connection, on, console)


def _show(connection: Connection, on: frozenset[str], console: Console) -> None:
    raw = Raw(connection)
    refused = Record(connection, "").refusals()
    read = {name: (at, calls) for name, at, calls in execute(connection, READ)}
    printed = Printed(box=None, pad_edge=False)
    for name in ("stream", "", "readable", "calls, 24 h", "first fill", "rows"):
        numeric = name in ("calls, 24 h", "first fill", "rows")
        printed.add_column(name, justify="right" if numeric else "left", overflow="fold")
    printed.add_column("last read")
    for stream in STREAMS.values():
        tables = [table for table in TABLES.values() if table.stream == stream.name]
        asked = [table for table in tables if not table.comes_with]
        found = [read[t.comes_with or t.name] for t in tables if (t.comes_with or t.name) in read]
        denied = [f"{t.name}: {refused[t.name][0]}" for t in asked if t.name in refused]
        readable = "yes" if any(table.name in read for table in asked) else "not asked yet"
        printed.add_row(
            stream.name,
            "on" if stream.name in on else "off",
            ", ".join(denied) or (readable if asked else f"with {stream.needs}"),
            f"{sum(read[t.name][1] for t in asked if t.name in read):,}" if asked else "none",
            _first_fill(asked, raw),
            f"{sum(raw.row_count(table.name) for table in tables):,}",
            ago(min(at for at, _ in found), datetime.now(UTC)) if found else "never",
        )
    console.print(printed)
    for stream in STREAMS.values():
        names = ", ".join(table.name for table in TABLES.values() if table.stream == stream.name)
        console.print(f"{stream.name}: {stream.holds}. In raw: {names}.")
    console.print(
        "Next: STREAMS in .env names the streams to read, e.g. "
        f"STREAMS={','.join(name for name in STREAMS if name != ESSENTIAL)}"
    )


def _first_fill(tables: list[Table], raw: Raw) -> str:
    """Calls of the batches of 100 students, or events, or of days, where their number is known."""
    calls = 0
    for table in tables:
        parents = raw.parents(table) if table.backfill else []
        unread = max(0, len(parents) - raw.parents_read(table.name)) if parents else 0
        rows = raw.row_count(table.name) + unread * _rows_of_a_parent(table, raw)
        for batch in batches_of_parents(table, parents):
            calls += max(1, table.pages(math.ceil(rows * len(batch) / len(parents))))
    return f"about {calls:,}" if calls else "-"


def _rows_of_a_parent(table: Table, raw: Raw) -> float:
    """What is usual; of a day for as many students as there are."""
    kept_from, usual = table.kept_from(), STREAMS[table.stream].days
    if not kept_from or not usual:
        return table.rows_a_student
    if table.parents == "days":
        return table.rows_a_student * len(raw.students()) / usual
    return table.rows_a_student * (datetime.now(UTC) - kept_from).days / usual


def _drop(name: str, on: frozenset[str], console: Console, *, confirm: bool) -> None:
    """Forget the rows of a stream; what is published of them goes with the next build."""
    if name not in STREAMS or name in on:
        off = ", ".join(stream for stream in STREAMS if stream not in on) or "none"
        raise UsageError(
            f"DROP is {name!r}; it must be a stream that is off ({off}). Take it out of STREAMS "
            "first."
        )
    tables = [table.name for table in TABLES.values() if table.stream == name]
    with run_lock("drop", new_run_id()) as connection:
        raw = Raw(connection)
        rows = {table: raw.row_count(table) for table in tables}
        listed = ", ".join(f"{table} {count:,}" for table, count in rows.items())
        if not confirm:
            console.print(f"Rows that would go from raw: {listed}. CONFIRM=1 drops them.")
            return
        _empty(connection, [table for table in tables if table in raw.tables])
    console.print(
        f"Rows gone from raw: {listed}. Next: `ALLOW_DELETES=1 make build` takes them out of "
        "mirror too."
    )


def _empty(connection: Connection, tables: list[str]) -> None:
    with transaction(connection) as cursor:
        for table in tables:
            cursor.execute(sql.SQL("delete from raw.{}").format(sql.Identifier(table)))
            cursor.execute(of_reads(table, "delete from {reads} where resource = %s"), (table,))
