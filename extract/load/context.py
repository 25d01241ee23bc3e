"""What the resources of one pass share: who reads, what was read, what may be deleted."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from dlt.extract import DltResource

from extract.base.errors import ApiError, DeletionGuard, MirrorError
from extract.base.settings import MIN_GUARDED_ROWS, Settings
from extract.listing.columns import unknown_fields
from extract.listing.listing import Finished, Listing, of_parents, whole
from extract.listing.reader import ListingReader
from extract.load.raw import Raw
from extract.load.record import Record
from extract.load.resources import as_file, resource
from extract.tables import TABLES, UNKNOWN_FIELDS, Table, coming_with

# forbidden, or a route that is hidden from the application (42-api.md section 1.2)
REFUSALS = (403, 404)


@dataclass
class Pass:
    """What the resources of one pass share.

    Attributes:
        streams: The streams that are on.
        campus_ids: Only these campuses; None for all.
        scope: Per table, scope values that were read completely and may have lost a row: where the
            load may delete.
        read: Per big relation, the students whose rows were read completely.
        finished: Listings whose rows are in the load, to be dropped from the cache after it.
        report: Told a sentence that a person should read.
        plan: Told the calls that tables will need, as soon as that is known.
        apart: Per table that comes with another one, what was read of it.
        campuses, students: What a full pass has listed, for the tables that are read by them.
        gone: Users of raw whom the API no longer lists; `anonymised` of them are to be erased.
        degraded: Optional tables that this run leaves as they were, and why.
        deletions: Rows that this run takes out, by table; `sizes`: what the tables had before.
        stopped: Why a backfill pass ended before its last batch (the budget).
        now: The newest change of a user that was read: about now, by the API's clock.
    """

    settings: Settings
    reader: ListingReader
    raw: Raw
    record: Record
    streams: frozenset[str]
    campus_ids: Collection[int] | None = None
    report: Callable[[str], None] = lambda sentence: None
    plan: Callable[[Mapping[str, int]], None] = lambda calls: None
    scope: dict[str, Collection[int]] = field(default_factory=dict)
    read: dict[str, list[int]] = field(default_factory=dict)
    finished: list[Listing] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    degraded: dict[str, str] = field(default_factory=dict)
    deletions: Counter[str] = field(default_factory=Counter)
    sizes: dict[str, int] = field(default_factory=dict)
    apart: dict[str, list[pa.Table]] = field(default_factory=dict)
    stopped: str = ""
    campuses: pa.Table | None = None
    students: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    anonymised: set[int] = field(default_factory=set)
    now: datetime | None = None

    def resource(
        self,
        table: str,
        rows: Callable[..., Iterator[pa.Table]],
        cursor: Any = None,
        name: str | None = None,
    ) -> DltResource:
        """A dlt resource of this pass; an optional table that fails is left as it was.

        Nothing of it is loaded then, its cursor stays where it was, and the others go on.
        """
        declared = TABLES[table]

        def has_effect() -> bool:
            """Whether a load without rows does anything: it deletes some, or makes the table."""
            return bool(self.scope.get(table)) or table not in self.raw.tables

        def pages(*cursor: Any) -> Iterator[Any]:
            try:
                if table not in self.degraded:
                    parts = (self._set_apart(table, part) for part in rows(*cursor))
                    if cursor:
                        # the cursor must see the rows, and they are few: all of them or none;
                        # with a lag dlt takes no rows after an empty table
                        halves = [_until_now(part, cursor[0].cursor_path) for part in parts]
                        yield from [seen for seen, _ in halves if seen.num_rows]
                        parts = (ahead for _, ahead in halves)
                    yield from as_file(declared, parts, lambda: not cursor and has_effect())
                    return
            except (ApiError, DeletionGuard) as error:
                if declared.essential:
                    raise
                self.failed(table, error)
            if not cursor:  # the models need the table, even if it was never read
                nothing = declared.loaded_schema().empty_table()
                yield from as_file(declared, iter([nothing]), has_effect)

        def pages_since(cursor: Any = cursor) -> Iterator[Any]:
            yield from pages(cursor)

        # an argument is something whose configuration dlt looks for
        return resource(declared, pages if cursor is None else pages_since, name or table)

    def empty(self, table: Table) -> DltResource:
        """A resource that makes the table and brings no row."""
        return self.resource(table.name, lambda: iter([table.schema().empty_table()]))

    def is_on(self, table: Table) -> bool:
        """Whether the table's stream is read."""
        return table.stream in self.streams

    def _set_apart(self, table: str, rows: pa.Table) -> pa.Table:
        """Take out of the rows what belongs to the tables that come with them."""
        for other in coming_with(table, self.streams):
            part = rows.select([column.name for column in other.columns])
            nothing = pa.nulls(len(rows), pa.string())
            part = part.append_column(UNKNOWN_FIELDS, nothing).cast(other.schema())
            self.apart.setdefault(other.name, []).append(part)
        return rows.drop_columns(sorted(TABLES[table].set_apart))

    def is_asked(self, table: Table | None) -> bool:
        """Whether the API is asked for the table in some pass."""
        return table is not None and (self.is_on(table) or table.places_people)

    def came_with(self, table: str) -> list[DltResource]:
        """Resources of the rows that came with those of a table, to stand right behind its own."""

        def rows(other: Table) -> Iterator[pa.Table]:
            if table in self.scope:
                self.scope[other.name] = self.scope[table]
            if table in self.read:
                self.read[other.name] = self.read[table]
            yield other.schema().empty_table()
            yield from self.apart.pop(other.name, ())

        return [
            self.resource(other.name, lambda other=other: rows(other))
            for other in coming_with(table, self.streams)
        ]

    def failed(self, table: str, error: MirrorError) -> None:
        """Leave an optional table as it was: of it nothing is loaded or deleted in this run."""
        self.reader.resume()
        self.degraded[table] = str(error)
        self.scope.pop(table, None)
        self.read.pop(table, None)
        for other in coming_with(table, self.streams):
            self.apart.pop(other.name, None)
        self.finished = [listing for listing in self.finished if listing.table != table]
        if getattr(error, "status", None) in REFUSALS:
            self._probe(table)

    def know_refusals(self) -> None:
        """Leave out what the API refuses; once a day ask for one row of it."""
        for table, (status, since, due) in self.record.refusals().items():
            if not self.is_asked(TABLES.get(table)):
                continue
            if not due or self._probe(table):
                self.degraded[table] = (
                    f"The API answers {status} since {since:%Y-%m-%d %H:%M} UTC: the application "
                    "may not read it. It is asked again once a day."
                )

    def _probe(self, table: str) -> bool:
        """Whether the API refuses a table for good, and not one page of it."""
        declared, cursus_id = TABLES[table], self.settings.cursus_id
        probe = whole(declared, cursus_id)
        if declared.relation:  # it is asked for of somebody: nobody has this number
            probe = of_parents(declared, [0], cursus_id)
        try:
            self.reader.total(probe)
        except ApiError as error:
            if error.status in REFUSALS:
                self.record.remember_refusal(table, error.status)
                return True
        else:
            self.record.forget_refusal(table)
        return False

    def listing(self, listings: Iterable[Listing], *, cache: bool = True) -> Generator[Finished]:
        """Read the listings (see `ListingReader.finish`); record each, report drift."""
        for done in self.reader.finish(iter(listings), cache):
            self.finished.append(done.listing)
            self.record.listing(done)
            self.rows[done.listing.table] += done.table.num_rows
            if done.listing.table == "users":
                newest = pc.max(done.table.column("updated_at")).as_py()
                if newest is not None:  # nobody is listed, or with no time
                    self.now = max(newest, self.now or newest)
            self._report_drift(done)
            yield done

    def _report_drift(self, done: Finished) -> None:
        """Say once of each field what is new about it."""
        table, known = done.listing.table, TABLES[done.listing.table].known_fields()
        unknown = self.record.drift(table, "unknown", unknown_fields(done.table))
        impossible = ", ".join(name for name in unknown if name in known)
        fresh = ", ".join(name for name in unknown if name not in known)
        missing = ", ".join(self.record.drift(table, "missing", done.missing))
        if impossible:
            self.report(
                f"{done.listing.path} sends times that cannot be: {impossible}. They are "
                f"null in raw.{table} and kept as sent in its column {UNKNOWN_FIELDS}."
            )
        if fresh:
            self.report(
                f"{done.listing.path} sends fields that the mirror does not know yet: {fresh}. "
                f"They are kept in raw.{table}.{UNKNOWN_FIELDS}."
            )
        if missing:
            self.report(
                f"{done.listing.path} no longer sends fields that the mirror keeps: {missing}. "
                f"They are null in raw.{table} from now on."
            )

    def drop_finished(self) -> None:
        """Forget the cached listings: their rows are loaded."""
        self.reader.forget(self.finished)

    def total(self, listing: Listing) -> int | None:
        """How many rows the API says a listing has, for one call; None when it does not say."""
        total = self.reader.total(listing)
        nothing = TABLES[listing.table].schema().empty_table()
        self.record.listing(Finished(listing, nothing, 1, 1, time.time()))
        return total

    def check_gone(self, table: str, gone: int) -> None:
        """Stop a run that would delete too much of a table, all its loads together.

        Raises:
            DeletionGuard: More than `max_delete_fraction` of the rows, `MIN_GUARDED_ROWS` at least.
        """
        if not gone:
            return
        settings = self.settings
        self.deletions[table] += gone
        size = self.sizes.setdefault(table, self.raw.row_count(table))
        is_much = self.deletions[table] > settings.max_delete_fraction * size
        if is_much and self.deletions[table] >= MIN_GUARDED_ROWS and not settings.allow_deletes:
            # the next run must ask again: a cached answer would be refused, or confirmed, unseen
            self.reader.forget([listing for listing in self.finished if listing.table == table])
            raise DeletionGuard(
                f"The API no longer lists {self.deletions[table]} of the {size} rows that "
                f"raw.{table} has, more than MAX_DELETE_FRACTION="
                f"{settings.max_delete_fraction:g} allows. Nothing was loaded from this list. If "
                "the rows are really gone (look at the API), confirm with ALLOW_DELETES=1 for one "
                "run."
            )


def _until_now(rows: pa.Table, field: str) -> tuple[pa.Table, pa.Table]:
    """The rows up to now, and those of a time to come: by it no live pass may go on.

    It would ask for what is later, and find nothing until then.
    """
    if field == "id":
        return rows, rows.slice(0, 0)
    times = rows.column(field)
    now = pa.scalar(datetime.now(UTC), times.type)
    is_ahead = pc.fill_null(pc.greater(times, now), False)
    return rows.filter(pc.invert(is_ahead)), rows.filter(is_ahead)
