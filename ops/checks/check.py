"""`make check`: is the mirror whole, fresh and true? For people and for monitors."""

import json as json_module
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import psycopg2
from psycopg2.extensions import connection as Connection
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from extract.base import logs
from extract.base.query import execute
from extract.console import make_console
from ops.checks.integrity import check_keys, check_orphans, check_tables, check_unique
from ops.checks.record import check_reconciliation, check_record, check_row_counts
from ops.checks.result import Result
from ops.checks.result import Status as Outcome
from ops.checks.spot import Fetch, Row, check_spots, sample_rows
from ops.status.status import Status, read_status
from ops.status.verdict import Level, judge

# A check that takes longer, or waits longer for somebody's lock, fails; the others go on.
LONGEST_STATEMENT, LONGEST_WAIT = "180s", "10s"
GOOD = {
    "verdict": "nothing needs attention",
    "keys": "every key there, filled and unique",
    "orphans": "no row without its parent",
    "unique": "no login and no e-mail address twice",
    "reconciles": "listed - left out = published",
    "row_counts": "as many rows as were published, none lost since the publication before",
    "spot": "the API says the same, field by field",
}
LEVELS: dict[Level, Outcome] = {"well": "ok", "degraded": "degraded", "failing": "failed"}
STYLES = {"ok": "green", "degraded": "yellow", "failed": "bold red", "skipped": "yellow"}


def run_check(
    connection: Connection | None,
    *,
    json: bool = False,
    sample: int = 5,
    fetch: Fetch | None = None,
    max_delete_fraction: float = 0.1,
    console: Console | None = None,
    now: datetime | None = None,
) -> list[Result]:
    """Check the mirror and print what was found; every check runs whatever another one does.

    Args:
        connection: To the mirror's database, in autocommit mode; None when there is none.
        json: Print one JSON object instead of a table.
        sample: Rows of each table to compare with the API; 0 leaves the API alone.
        fetch: Asks the API: `fetch(raw table, ids)` returns its objects. None leaves it alone.
        max_delete_fraction: Share of a table that may go from one publication to the next.
        console: Where the table goes; standard output by default.
        now: The time to measure freshness against; for tests.

    Returns:
        What was found; the check passed when no result is `failed`.
    """
    moment = now or datetime.now(UTC)
    sampled: dict[str, list[Row]] = {}
    if connection is None:
        status = read_status(None, moment)
        results = _verdict(status)
    else:
        with _one_moment(connection):
            status = _read(connection, moment)
            results = _verdict(status)
            checks = {
                **CHECKS,
                "row_counts": lambda given: check_row_counts(given, max_delete_fraction),
            }
            if fetch and sample:
                checks["spot"] = lambda given: _sample(given, sample, sampled)
            for name, check in checks.items():
                results += _attempt(connection, name, check)
    if fetch and sampled:
        read_at = {table["table"]: table["read_at"] for table in status.tables}
        results += check_spots(sampled, fetch, read_at)
    elif not (fetch and sample):
        results.append(Result("spot", "skipped", "the API was not asked"))
    failed = [result for result in results if result.status == "failed"]
    if json:
        _print_json(results, moment, ok=not failed)
    else:
        _print_table(results, console or make_console())
    return results


CHECKS: dict[str, Callable[[Connection], Iterator[Result]]] = {
    "tables_present": check_tables,
    "keys": check_keys,
    "orphans": check_orphans,
    "unique": check_unique,
    "record": check_record,
    "reconciles": check_reconciliation,
}


def _verdict(status: Status) -> list[Result]:
    """The one verdict, each finding as a check; how the last check ended does not count here."""
    return [
        Result(
            found.name
            if found.name in ("freshness", "database")
            else f"verdict.{found.name.replace(' ', '_')}",
            LEVELS[found.level],
            found.sentence,
            judged=found.name != "database",  # without one nothing was checked
        )
        for found in judge(status, without="check").findings
    ]


def _read(connection: Connection, now: datetime) -> Status:
    """The status, read in this transaction, which goes on when that fails."""
    with suppress(psycopg2.Error):
        execute(connection, "savepoint attempt")
    status = read_status(connection, now)
    if status.unreachable:
        _undo(connection)
    return status


def _undo(connection: Connection) -> None:
    """Let the transaction go on after an error, if there still is one."""
    with suppress(psycopg2.Error):
        execute(connection, "rollback to savepoint attempt")


def _sample(connection: Connection, sample: int, sampled: dict[str, list[Row]]) -> Iterator[Result]:
    sampled.update(sample_rows(connection, sample))
    yield from ()


def _attempt(
    connection: Connection, name: str, check: Callable[[Connection], Iterator[Result]]
) -> list[Result]:
    """What a check found, up to where it broke, if it does."""
    found: list[Result] = []
    try:
        execute(connection, "savepoint attempt")
        found.extend(check(connection))  # keeps what came before an error
    except Exception as error:  # noqa: BLE001  (whatever breaks one check is none of the next's)
        _undo(connection)
        cause = logs.without_secrets(" ".join(str(error).split()))
        detail = f"could not be checked to its end: {cause}; `make check` tries again"
        found.append(Result(name, "failed", detail))
    return found


@contextmanager
def _one_moment(connection: Connection) -> Iterator[None]:
    """See one state of the database throughout, and change nothing; a publication may come by."""
    execute(connection, "begin isolation level repeatable read read only")
    try:
        for limit, value in (
            ("statement_timeout", LONGEST_STATEMENT),
            ("lock_timeout", LONGEST_WAIT),
        ):
            execute(connection, "select set_config(%s, %s, true)", (limit, value))
        yield
    finally:
        with suppress(psycopg2.Error):  # the connection may have gone meanwhile
            execute(connection, "rollback")


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


def _print_table(results: list[Result], console: Console) -> None:
    """One line a kind of check, and one for each that did not pass."""
    table = Table(Column("check", no_wrap=True), "", "found", box=None, pad_edge=False)
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
                table.add_row(
                    result.name, f"[{style}]{result.status}[/{style}]", escape(result.detail)
                )
    console.print(table, highlight=False)
    counts = {name: sum(result.status == name for result in results) for name in STYLES}
    worst = next(name for name in ("failed", "degraded", "ok") if counts[name] or name == "ok")
    counted = ", ".join(
        f"{count} {name}" for name, count in counts.items() if count or name != "degraded"
    )
    console.print(f"[{STYLES[worst]}]{counted}[/{STYLES[worst]}]", highlight=False)


def _summary(passed: list[Result], members: list[Result]) -> str:
    family = members[0].name.partition(".")[0]
    count = f"{len(passed)}" if len(passed) == len(members) else f"{len(passed)} of {len(members)}"
    return f"{count}: {GOOD.get(family, 'as they should be')}"
