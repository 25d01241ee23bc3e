"""The big relations, read whole for 100 students at a time, newest students first.

In this order: students never read; students whose rows are known to be stale; a count check (one
row a call) of batches not checked for a day, by halves where it differs; students not read for
`reconcile_days`; and, after a full pass, whoever was read the longest ago. Each batch is durable
once loaded, so the backfill can stop anywhere. What is read by other parents than students
(`Table.parents`) is read the same way.
"""

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from dlt.extract import DltResource
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from extract.api.client import FortyTwoClient
from extract.base.errors import ApiError, BudgetSpent
from extract.base.lock import sessions
from extract.base.query import execute
from extract.listing.listing import Finished, batches_of_parents, of_parents
from extract.load.context import Pass
from extract.load.pipeline import Loader
from extract.load.raw import Raw, of_reads
from extract.passes.students import unseen
from extract.tables import READS, TABLES, Table, backfilled, coming_with

# a load costs about half a second: few batches a load when they are slow, more when fast
SECONDS_A_LOAD = 30.0
MOST_BATCHES_A_LOAD = 100
CHECK_EVERY_HOURS = 24
# a full pass a day, and one that was missed
STAYS_OPEN = timedelta(days=2)
# a small mirror is re-read whole every night; a large one in `reconcile_days`
LEAST_SHARE = 200


def to_read(
    connection: Connection,
    raw: Raw,
    table: str,
    streams: Collection[str],
    campus_ids: Collection[int] | None,
) -> list[int]:
    """Students whose rows in a relation table are still to be read, in the order of reading.

    Whose rows were read while the stream of what comes with them was off are read again.
    """
    parents = raw.parents(TABLES[table], campus_ids)
    resources = [table, *(other.name for other in coming_with(table, streams))]
    query = of_reads(
        table,
        "select {parent}, bool_or(stale) or count(*) < %s from {reads} "
        "where resource = any(%s) group by {parent} having bool_or(resource = %s)",
    )
    stale = dict(execute(connection, query, (len(resources), resources, table)))
    unread = [parent for parent in parents if parent not in stale]
    return unread + [parent for parent in parents if stale.get(parent)]


def mark_stale(connection: Connection, ids: Iterable[int], table: str) -> None:
    """Have the backfill read these students' rows again, or those of other parents."""
    query = of_reads(
        table,
        "update {reads} set stale = true where resource = %s and {parent} = any(%s) and not stale",
    )
    execute(connection, query, (table, list(ids)))


def mark_open_stale(connection: Connection, raw: Raw) -> None:
    """Have the backfill read again what comes and goes without a word, such as sign-ups."""
    now = raw.newest_update("users")  # of the API's own clock
    for table in TABLES.values():
        if table.backfill and now:
            mark_stale(connection, raw.open_parents(table, now - STAYS_OPEN), table.name)


def mark_what_comes_along_stale(connection: Connection, streams: Collection[str]) -> None:
    """Have the rows that come with others read again when their stream, off now, is on again."""
    for table in TABLES.values():
        if table.comes_with in backfilled(streams) and table.stream not in streams:
            query = "update {reads} set stale = true where resource = %s and not stale"
            execute(connection, of_reads(table.name, query), (table.name,))


def was_started(connection: Connection) -> bool:
    """Whether a backfill ever read anything: from then on full passes keep it up."""
    query = sql.SQL("select 1 from ops.{} limit 1")
    return any(execute(connection, query.format(sql.Identifier(reads))) for reads in READS)


def nightly_share(context: Pass) -> int:
    """Calls after a full pass that read every relation row once in `reconcile_days`."""
    names = backfilled(context.streams)
    pages = sum(TABLES[name].pages(context.raw.row_count(name)) for name in names)
    days = max(1, context.settings.reconcile_days)
    return max(LEAST_SHARE, math.ceil(pages / days))


class Backfill:
    """Reads the relations of the students within what quota is left.

    Args:
        context: Made anew for each load from this one.
    """

    def __init__(
        self, context: Pass, loader: Loader, client: FortyTwoClient, connection: Connection
    ) -> None:
        self._context, self._loader, self._client = context, loader, client
        self._connection = connection
        self._tables = backfilled(context.streams)
        self._batches_a_load = 1
        self.batches_read = 0
        self.stopped = ""

    def run(self, budget: int | None = None, *, refresh: bool = False) -> None:
        """Work until nothing is left, the budget is spent, or another run waits for the lock.

        Why it ended early is in `stopped` then.

        Args:
            budget: Calls it may make; half of them at most for count checks. None for no limit.
            refresh: Use what is left of the budget for whoever was read the longest ago.
        """
        quota = self._client.quota
        if budget is not None:
            quota.max_calls = min(quota.max_calls or sys.maxsize, quota.calls + budget)
        started = datetime.now(UTC)
        days = timedelta(days=self._context.settings.reconcile_days)
        try:
            self._read(self._to_read)
            checks = None if budget is None else budget // 2
            for table in filter(self._counts_tell, self._tables):
                try:
                    self._check_counts(table, checks)
                except ApiError as error:
                    self._context.failed(table, error)
            self._read(self._to_read)
            self._read(lambda table: self._read_before(table, started - days))
            if refresh:
                self._read(lambda table: self._read_before(table, started))
        except BudgetSpent as error:
            self.stopped = str(error)

    def _counts_tell(self, table: str) -> bool:
        """Whether the API's count of a table differs only where rows came or went.

        Of open rows there are new ones with every minute, and of an event's sign-ups the API counts
        those of people who are kept out, too.
        """
        declared = TABLES[table]
        of_others = bool(declared.person) and declared.person != declared.parent
        return not declared.open_rows and not (of_others and self._context.reader.keeps_people_out)

    def _read_before(self, table: str, moment: datetime) -> list[int]:
        """Students whose rows were last read before a moment, the longest ago first."""
        if not self._may_go_on():
            return []
        return self._mirrored(table, "read_at < %s order by read_at, {parent} desc", moment)

    def _mirrored(self, table: str, condition: str, value: object) -> list[int]:
        """Whose rows of a table are mirrored, of those whose reading meets a condition."""
        query = of_reads(table, "select {parent} from {reads} where resource = %s and " + condition)
        parents = set(self._context.raw.parents(TABLES[table]))
        read = execute(self._connection, query, (table, value))
        return [parent for (parent,) in read if parent in parents]

    def _to_read(self, table: str) -> list[int]:
        context = self._context
        return to_read(self._connection, context.raw, table, context.streams, context.campus_ids)

    def _may_go_on(self) -> bool:
        if not self.stopped and sessions(self._connection, waiting=True):
            self.stopped = (
                "Another run waits for the lock: the backfill gives way, and goes on from here."
            )
        return not self.stopped

    def _read(self, users: Callable[[str], list[int]]) -> None:
        queues = {
            table: list(batches_of_parents(TABLES[table], users(table))) for table in self._tables
        }
        while any(queues.values()) and self._may_go_on():
            started, at_once = time.monotonic(), self._batches_a_load
            for table in self._context.degraded.keys() & queues.keys():
                del queues[table]
            self._load({table: queue[:at_once] for table, queue in queues.items() if queue})
            for queue in queues.values():
                del queue[:at_once]
            pace = (time.monotonic() - started) / at_once
            most = min(MOST_BATCHES_A_LOAD, int(SECONDS_A_LOAD / max(pace, 0.01)))
            self._batches_a_load = max(1, most)

    def _load(self, groups: dict[str, list[list[int]]]) -> None:
        """Read some groups of students for each table, and load them at once."""
        context = replace(self._context, scope={}, read={}, finished=[], apart={}, stopped="")
        self._loader.load(
            context,
            lambda context: [
                resource
                for table, group in groups.items()
                for resource in (relations(context, table, group), *context.came_with(table))
            ],
        )
        with self._connection.cursor() as cursor:
            for table, parents in context.read.items():
                execute_values(
                    cursor,
                    of_reads(
                        table,
                        "insert into {reads} (resource, {parent}, read_at, checked_at) "
                        "values %s on conflict (resource, {parent}) do update set "
                        "read_at = excluded.read_at, checked_at = excluded.checked_at, "
                        "stale = false",
                    ),
                    [(table, parent) for parent in parents],
                    template="(%s, %s, now(), now())",
                    page_size=5000,
                )
        context.drop_finished()
        self.batches_read += len(context.finished)
        self.stopped = self.stopped or context.stopped

    def _check_counts(self, table: str, most_calls: int | None) -> None:
        """Compare X-Total with raw for batches of students; a difference makes them stale.

        A batch that differs is counted by halves while reading it takes more than a page.
        """
        unchecked = self._mirrored(
            table,
            "not stale and checked_at < now() - make_interval(hours => %s) "
            "order by checked_at, {parent}",
            CHECK_EVERY_HOURS,
        )
        agrees = of_reads(
            table,
            "update {reads} set checked_at = now() where resource = %s and {parent} = any(%s)",
        )
        most = sys.maxsize if most_calls is None else most_calls // len(self._tables)
        to_count = deque(batches_of_parents(TABLES[table], unchecked))
        for _ in range(most):
            if not to_count or table in self._context.degraded or not self._may_go_on():
                return
            ids = to_count.popleft()
            listing = of_parents(TABLES[table], ids, self._context.settings.cursus_id)
            page = self._client.page(listing.path, listing.params, size=1, background=True)
            known = self._context.raw.rows_of_parents(table, ids)
            if page.total == known:
                execute(self._connection, agrees, (table, ids))
            elif len(ids) == 1 or TABLES[table].pages(max(known, page.total or 0)) <= 1:
                mark_stale(self._connection, ids, table)
            else:
                half = len(ids) // 2
                to_count.extendleft((ids[half:], ids[:half]))


def relations(context: Pass, table: str, groups: Sequence[Sequence[int]]) -> DltResource:
    """The complete rows of some users, or other parents, in one big relation table."""
    declared = TABLES[table]

    def rows() -> Iterator[pa.Table]:
        listings = (
            of_parents(declared, ids, context.settings.cursus_id, background=True) for ids in groups
        )
        read = context.read[table] = []
        scope = context.scope[table] = []
        seen: set[int] = set()
        # an empty page first: students without a row left are deleted too
        yield declared.schema().empty_table()
        if context.stopped:  # while the table before was read
            return
        try:
            with closing(context.listing(listings)) as finished:
                for done in finished:
                    ids = done.listing.parents
                    theirs = _of_these(declared, done)
                    listed = set(theirs.column("id").to_pylist())
                    gone = context.raw.keys(table, ids, declared.parent) - listed
                    context.check_gone(table, len(gone))
                    # what came with rows that went while its stream was off
                    for other in coming_with(table, context.streams):
                        gone |= context.raw.keys(other.name, ids, declared.parent) - listed
                    if gone:  # or the load would compare the whole table to delete nothing
                        scope.extend(gone if declared.scope == "id" else ids)
                    read.extend(ids)
                    # what was moved to another day while this load is read
                    yield unseen(theirs, seen)
        except BudgetSpent as error:
            context.stopped = str(error)

    return context.resource(table, rows)


def _of_these(table: Table, done: Finished) -> pa.Table:
    """The rows of a listing but for those of the days beside (`of_parents`)."""
    if table.parents != "days":
        return done.table
    days = pa.array(done.listing.parents, pa.int64())
    return done.table.filter(pc.is_in(done.table.column(table.scope), days))
