"""The record of a run in `ops`: runs, API calls, listings, drift. No secrets, no contents."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from extract.base import logs
from extract.base.lock import ENDED_WITHOUT_A_WORD
from extract.base.query import Statement, execute, records, transaction
from extract.listing.listing import Finished
from extract.tables.ownership import OPS_FILES, mark, refuse_foreign_objects

if TYPE_CHECKING:  # dlt takes a second to import
    from extract.api.auth import ClientCredentials
    from extract.api.client import Call

RETENTION_DAYS = 30
BUFFERED_CALLS = 500  # before they are written, with the listings they were part of
# what works together in a run, beside PostgreSQL
VERSIONED = ("dlt", "dbt-core", "dbt-postgres", "pyarrow")


def create_schema(connection: Connection) -> None:
    """Create what is missing of the schema `ops`; changes nothing that is there.

    Args:
        connection: In autocommit mode.

    Raises:
        UsageError: Somebody else's objects are in the mirror's way; nothing was created.
    """
    with transaction(connection) as cursor:
        cursor.execute("select pg_advisory_xact_lock(42, 1)")
        refuse_foreign_objects(connection)
        for path in OPS_FILES:
            cursor.execute(path.read_text(encoding="utf-8"))
        mark(connection, "ops")


def log_call(call: Call) -> None:
    """Log one call; its query says what it was for."""
    logs.event(
        "api_call",
        level=logging.WARNING if call.error else logging.INFO,
        endpoint=call.path,
        query=call.query or None,
        page=call.page,
        status=call.status,
        rows=call.rows,
        error=call.error or None,
        retries=call.attempt,
        milliseconds=call.milliseconds,
        quota_left=call.quota_left,
    )


class Record:
    """Writes what one run does; safe for many threads.

    Args:
        connection: In autocommit mode; used under a lock.
    """

    def __init__(self, connection: Connection, run_id: str) -> None:
        self._connection, self.run_id = connection, run_id
        self._lock = threading.Lock()
        self._calls: list[tuple[Any, ...]] = []
        self._listings: list[tuple[Any, ...]] = []
        self.statuses: Counter[str] = Counter()
        self.calls_of: Counter[str] = Counter()

    def start(self, mode: str, *, allow_deletes: bool) -> None:
        """Open the run's row, or take it over when `make sync` opened it."""
        versions = {name: version(name) for name in VERSIONED}
        versions["postgresql"] = str(self._connection.server_version)
        self._execute(
            "insert into ops.runs (run_id, mode, status, allow_deletes, versions) "
            "values (%s, %s, 'running', %s, %s) on conflict (run_id) do nothing",
            (self.run_id, mode, allow_deletes, json.dumps(versions)),
        )
        # we hold the lock, so none is running
        self._execute(
            "update ops.runs set status = 'failed', finished_at = now(), message = %s "
            "where status = 'running' and run_id <> %s",
            (ENDED_WITHOUT_A_WORD, self.run_id),
        )

    def update(self, **values: Any) -> None:
        """Set columns of the run's row; dicts become jsonb."""
        columns = sql.SQL(", ").join(
            sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values
        )
        statement = sql.SQL("update ops.runs set {} where run_id = %s").format(columns)
        cells = [json.dumps(v) if isinstance(v, dict) else v for v in values.values()]
        self._execute(statement, (*cells, self.run_id))

    def close(self) -> None:
        """Set the run's end."""
        self._execute("update ops.runs set finished_at = now() where run_id = %s", (self.run_id,))

    def call(self, call: Call) -> None:
        """Take note of one HTTP call."""
        log_call(call)
        row = (datetime.now(UTC), self.run_id, *astuple(call))
        with self._lock:
            self.statuses[str(call.status or call.error)] += 1
            self._calls.append(row)
            if len(self._calls) >= BUFFERED_CALLS:
                self._write_buffered()

    def application(self, api_url: str, auth: ClientCredentials) -> None:
        """Take note of how long the application's secret and token are good for; never of them."""
        self._execute(
            "insert into ops.application "
            "(api_url, secret_valid_until, token_valid_until, using_next_secret, seen_at) "
            "values (%s, to_timestamp(%s), now() + make_interval(secs => %s), %s, now()) "
            "on conflict (api_url) do update set secret_valid_until = excluded.secret_valid_until, "
            "token_valid_until = excluded.token_valid_until, "
            "using_next_secret = excluded.using_next_secret, seen_at = excluded.seen_at, "
            "refused_at = null",
            (api_url, auth.secret_valid_until, auth.life(), auth.using_next_secret),
        )

    def refused(self, api_url: str, *, refused: bool = True) -> None:
        """Take note of whether the API refuses the credentials."""
        self._execute(
            "update ops.application "
            "set refused_at = case when %s then coalesce(refused_at, now()) end "
            "where api_url = %s and (refused_at is null) = %s",
            (refused, api_url, refused),
        )

    def progress(self, phase: str, calls: int, planned: int | None) -> None:
        """Say how far the run is, for `make status`, and write what is buffered."""
        self.update(phase=phase, calls=calls, planned_calls=planned)
        with self._lock:
            self._write_buffered()

    def last_api_url(self) -> str:
        """The API of the run before; empty when there was none."""
        rows = self._execute("select api_url from ops.application order by seen_at desc limit 1")
        return str(rows[0][0]) if rows else ""

    def listing(self, finished: Finished) -> None:
        """Take note of one complete listing."""
        self.calls_of[finished.listing.table] += finished.calls
        row = (
            datetime.fromtimestamp(finished.finished_at, UTC),
            self.run_id,
            finished.listing.table,
            finished.listing.key[:100],
            finished.table.num_rows,
            finished.calls,
            finished.readings,
        )
        with self._lock:
            self._listings.append(row)

    def refusals(self) -> dict[str, tuple[int, datetime, bool]]:
        """Tables that the API refuses: status, since when, and whether to ask again today."""
        rows = self._execute(
            "select resource, status, since, probed_at < now() - interval '1 day' from ops.refusals"
        )
        return {resource: (status, since, due) for resource, status, since, due in rows}

    def remember_refusal(self, resource: str, status: int) -> None:
        """Remember that the API refuses a table, asked just now."""
        self._execute(
            "insert into ops.refusals values (%s, %s, now(), now()) on conflict (resource) "
            "do update set status = excluded.status, probed_at = excluded.probed_at",
            (resource, status),
        )

    def forget_refusal(self, resource: str) -> None:
        """Forget that the API refused a table."""
        self._execute("delete from ops.refusals where resource = %s", (resource,))

    def forget_refusals(self) -> None:
        """Forget whatever the API refused."""
        self._execute("delete from ops.refusals")

    def drift(self, resource: str, kind: str, fields: Iterable[str]) -> list[str]:
        """Record drifted fields; returns those never seen before (to be reported once)."""
        new: list[str] = []
        for field in fields:
            rows = self._execute(
                "insert into ops.drift (resource, field, kind, first_seen_at) "
                "values (%s, %s, %s, now()) on conflict do nothing returning field",
                (resource, field[:200], kind),
            )
            new.extend(name for (name,) in rows)
        return new

    def flush(self) -> None:
        """Write buffered calls and listings, and forget what is older than the retention."""
        with self._lock:
            self._write_buffered()
        for table, column in (
            ("api_calls", "called_at"),
            ("listings", "finished_at"),
            ("deleted_rows", "deleted_at"),
        ):
            statement = sql.SQL(
                "delete from ops.{} where {} < now() - make_interval(days => %s)"
            ).format(sql.Identifier(table), sql.Identifier(column))
            self._execute(statement, (RETENTION_DAYS,))

    def _write_buffered(self) -> None:
        calls, self._calls = self._calls, []
        listings, self._listings = self._listings, []
        with self._connection.cursor() as cursor:  # of nothing they insert nothing
            execute_values(cursor, "insert into ops.api_calls values %s", calls)
            execute_values(
                cursor,
                "insert into ops.listings "
                "(finished_at, run_id, resource, listing, rows, calls, readings) values %s",
                listings,
            )

    def _execute(
        self, statement: Statement, values: tuple[Any, ...] | None = None
    ) -> list[tuple[Any, ...]]:
        with self._lock:
            return execute(self._connection, statement, values)


def last_pass(connection: Connection, mode: str) -> dict[str, tuple[int, int]]:
    """Rows and calls by table of the last run of a mode that ended well; empty without one."""
    found = records(
        connection,
        "select resource, sum(rows)::bigint as rows, sum(calls)::bigint as calls from ops.listings "
        "where run_id = (select run_id from ops.runs where mode = %s and status in "
        "('loaded', 'published', 'unchanged') order by started_at desc limit 1) group by resource",
        (mode,),
        needs="ops.runs ops.listings",
    )
    return {row["resource"]: (row["rows"], row["calls"]) for row in found}


def refused_tables(connection: Connection) -> set[str]:
    """Tables that the API refuses the application: a run asks for one row of each once a day."""
    found = records(connection, "select resource from ops.refusals", needs="ops.refusals")
    return {row["resource"] for row in found}


class Phases:
    """Wall seconds of the phases of a run, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()

    def done(self, name: str) -> None:
        """End the phase that is under way, under this name."""
        now = time.monotonic()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + now - self._started, 2)
        self._started = now
