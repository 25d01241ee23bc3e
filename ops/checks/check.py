"""`make check`: is the mirror whole, fresh and true? For people and for monitors."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from psycopg2.extensions import connection as Connection
from rich.console import Console
from rich.table import Table

from ops.checks.integrity import check_keys, check_orphans, check_tables, check_unique
from ops.checks.record import check_freshness, check_reconciliation, check_row_counts
from ops.checks.result import Result, exists, value
from ops.checks.spot import Fetch, check_spots, sample_rows

GOOD = {
    "keys": "every key there, filled and unique",
    "orphans": "no row without its parent",
    "unique": "no login and no e-mail address twice",
    "reconciles": "listed - left out = published",
    "row_counts": "as many rows as were published, none lost since the publication before",
    "spot": "the API says the same, field by field",
}
STYLES = {"ok": "green", "failed": "bold red", "skipped": "yellow"}


def run_check(
    connection: Connection,
    *,
    json: bool = False,
    sample: int = 5,
    fetch: Fetch | None = None,
    freshness_hours: float = 24.0,
    max_delete_fraction: float = 0.1,
    console: Console | None = None,
    now: datetime | None = None,
) -> int:
    """Check the mirror and print what was found.

    Args:
        connection: To the mirror's database, with no transaction open.
        json: Print one JSON object instead of a table.
        sample: Rows of each table to compare with the API; 0 leaves the API alone.
        fetch: Asks the API: `fetch(raw table, ids)` returns its objects. None leaves it alone.
        freshness_hours: How old the last sync may be.
        max_delete_fraction: Share of a table that may go from one publication to the next.
        console: Where the table goes; standard output by default.
        now: The time to measure freshness against; for tests.

    Returns:
        The exit status: 0 when no check failed, else 1.
    """
    moment = now or datetime.now(UTC)
    with _one_moment(connection):
        results = list(_database_checks(connection, freshness_hours, max_delete_fraction, moment))
        asking = fetch is not None and sample > 0
        sampled = sample_rows(connection, sample) if asking else {}
        published_at = _published_at(connection)
    if fetch is not None and sample > 0:
        results += check_spots(sampled, fetch, published_at)
    else:
        results.append(Result("spot", "skipped", "the API was not asked"))
    failed = [result for result in results if result.status == "failed"]
    if json:
        _print_json(results, moment, ok=not failed)
    else:
        _print_table(results, failed, console or Console())
    return 1 if failed else 0


def _database_checks(
    connection: Connection, freshness_hours: float, max_delete_fraction: float, now: datetime
) -> Iterator[Result]:
    yield from check_tables(connection)
    yield from check_keys(connection)
    yield from check_orphans(connection)
    yield from check_unique(connection)
    if not exists(connection, "ops.runs"):
        yield Result("record", "failed", "schema ops is missing; run `make extract` first")
        return
    yield from check_reconciliation(connection)
    yield from check_freshness(connection, freshness_hours, now)
    yield from check_row_counts(connection, max_delete_fraction)


def _published_at(connection: Connection) -> datetime | None:
    if not exists(connection, "ops.runs"):
        return None
    moment = value(connection, "select max(published_at) from ops.runs")
    return moment if isinstance(moment, datetime) else None


@contextmanager
def _one_moment(connection: Connection) -> Iterator[None]:
    """See one state of the database throughout, and change nothing; a publication may come by."""
    autocommit = connection.autocommit
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("begin isolation level repeatable read read only")
            try:
                yield
            finally:
                cursor.execute("rollback")
    finally:
        connection.autocommit = autocommit


def _print_json(results: list[Result], now: datetime, *, ok: bool) -> None:
    document = {
        "ok": ok,
        "checked_at": now.isoformat(),
        "checks": [
            {"name": result.name, "status": result.status, "detail": result.detail}
            for result in results
        ],
    }
    json_module.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def _print_table(results: list[Result], failed: list[Result], console: Console) -> None:
    """One line a kind of check, and one for each that did not pass."""
    table = Table(box=None, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("")
    table.add_column("found")
    families: dict[str, list[Result]] = {}
    for result in results:
        families.setdefault(result.name.partition(".")[0], []).append(result)
    for family, members in families.items():
        passed = [result for result in members if result.status == "ok"]
        if len(passed) > 1:
            table.add_row(family, "[green]ok[/green]", _summary(passed, members))
        for result in members:
            if result.status != "ok" or len(passed) < 2:
                style = STYLES[result.status]
                table.add_row(result.name, f"[{style}]{result.status}[/{style}]", result.detail)
    console.print(table, highlight=False)
    passed_count = sum(result.status == "ok" for result in results)
    skipped = sum(result.status == "skipped" for result in results)
    style = STYLES["failed" if failed else "ok"]
    console.print(
        f"[{style}]{passed_count} ok, {len(failed)} failed, {skipped} skipped[/{style}]",
        highlight=False,
    )


def _summary(passed: list[Result], members: list[Result]) -> str:
    family = members[0].name.partition(".")[0]
    count = f"{len(passed)}" if len(passed) == len(members) else f"{len(passed)} of {len(members)}"
    return f"{count}: {GOOD.get(family, 'as they should be')}"
