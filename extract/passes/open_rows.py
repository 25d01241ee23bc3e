"""Rows that open, close and vanish, and no `updated_at` tells (`open_rows` of a declaration).

New and closed ones come by the `ranges`. The others that are open in raw are asked for by id: all
of them in a full pass, after the list of those that the API calls open; in a live pass those that
are open for the longest time. An id that does not come back was deleted; one that comes back of
nobody in raw goes like it. A row that was closed before it was deleted goes when its student is
read again (`RECONCILE_DAYS`).
"""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from dlt.extract import DltResource

from extract.listing.listing import IDS_A_CALL, OVERLAP, batches, by_id, changed, still_open
from extract.load.context import Pass
from extract.load.resources import cursor
from extract.passes.students import unseen
from extract.tables import Table

# a row that was deleted is open in raw for ever, and the longest open ones are asked for first
LIVE_CALLS = 3


def window_start(context: Pass, table: Table) -> datetime | None:
    """Where the first reading of a table's changes starts; None before the first full pass.

    That is before the oldest page of the full pass under it, and of the backfill; of what a full
    pass reads and a live one may fail to, before its own newest change.
    """
    newest = context.raw.newest_update("users")
    if newest is None:
        return None
    if "updated_at" in table.ranges and not (table.essential or table.backfill):
        newest = context.raw.newest_update(table.name) or newest
    start = newest - context.raw.length_of_users_pass() - OVERLAP
    first_read = context.raw.first_relation_read(table.name) if table.backfill else None
    start = min(start, first_read - OVERLAP) if first_read else start
    return start - context.raw.behind(table.name)


def overlap(context: Pass, table: Table) -> float:
    """How many seconds before its cursor a reading of a table's changes starts."""
    return (OVERLAP + context.raw.behind(table.name)).total_seconds()


def open_rows(
    context: Pass, table: Table, since: datetime | None, *, every: bool
) -> list[DltResource]:
    """What changed, of students that raw has.

    Args:
        since: Where the first reading by `ranges` starts; None to read by none of them.
        every: Reconcile every open row, for a call for each hundred of them.
    """
    cursus_id = context.settings.cursus_id
    known, seen = context.raw.keys("users"), set[int]()

    def ours(rows: pa.Table) -> pa.Table:
        """Rows of known students; closed ones are read first, and each row once in a load."""
        people = pa.array(known, pa.int64())
        return unseen(rows.filter(pc.is_in(rows.column(table.person), people)), seen)

    def changes(field: str, cursor: Any) -> Iterator[pa.Table]:
        listings = changed(table, field, cursor.start_value, cursus_id, context.now)
        for done in context.listing(listings):
            yield ours(done.table)

    def others() -> Iterator[pa.Table]:
        yield table.schema().empty_table()
        open_before = context.raw.open_ids(table.name)
        if every:
            for done in context.listing([still_open(table, cursus_id)]):
                yield ours(done.table)
        else:
            open_before = open_before[: LIVE_CALLS * IDS_A_CALL]
        asked = [key for key in open_before if key not in seen]
        gone = set(asked)
        listings = (by_id(table, ids, cursus_id) for ids in batches(asked))
        for done in context.listing(listings, cache=False):
            yield ours(done.table)
        gone -= seen
        context.check_gone(table.name, len(gone))
        context.scope[table.name] = gone

    return [
        *(
            context.resource(
                table.name,
                partial(changes, field),
                cursor(field, since, overlap(context, table)),
                f"{table.name}_{field}",
            )
            for field in (table.ranges if since else ())
        ),
        context.resource(table.name, others),
    ]
