"""What the resources of one pass share: who reads, what was read, what may be deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

import pyarrow as pa

from extract.base.errors import DeletionGuard
from extract.base.settings import Settings
from extract.listing.columns import unknown_fields
from extract.listing.listing import Finished, Listing
from extract.listing.reader import ListingReader
from extract.load.raw import Raw
from extract.load.record import Record
from extract.people.erase import is_kept_out
from extract.tables import TABLES, UNKNOWN_FIELDS


@dataclass
class Pass:
    """What the resources of one pass share.

    Attributes:
        campus_ids: Only these campuses; None for all.
        scope: Per table, scope values that were read completely and may have lost a row: where the
            load may delete.
        read: Per big relation, the students whose rows were read completely.
        finished: Listings whose rows are in the load, to be dropped from the store after it.
        report: Told a sentence that a person should read.
        gone: Users of raw whom the API no longer lists; `anonymised` of them are to be erased.
        kept_out: Hashes of people who were erased on request (see extract/people/erase.py).
        stopped: Why a backfill pass ended before its last batch (the budget).
    """

    settings: Settings
    reader: ListingReader
    raw: Raw
    record: Record
    campus_ids: Collection[int] | None = None
    report: Callable[[str], None] = lambda sentence: None
    scope: dict[str, Collection[int]] = field(default_factory=dict)
    read: dict[str, list[int]] = field(default_factory=dict)
    finished: list[Listing] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    campuses: pa.Table | None = None
    students: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    anonymised: set[int] = field(default_factory=set)
    kept_out: frozenset[str] = frozenset()

    def listing(self, listings: Iterable[Listing], *, keep: bool = True) -> Iterator[Finished]:
        """Finish the listings; record each, report drift, leave out people who were erased."""
        for read in self.reader.finish(iter(listings), keep):
            done = replace(read, table=self._without_erased(read))
            self.finished.append(done.listing)
            self.record.listing(done)
            self.rows[done.listing.table] += done.table.num_rows
            fresh = self.record.drift(done.listing.table, "unknown", unknown_fields(done.table))
            if fresh:
                self.report(
                    f"{done.listing.path} sends fields that the mirror does not know yet: "
                    f"{', '.join(fresh)}. They are kept in "
                    f"raw.{done.listing.table}.{UNKNOWN_FIELDS}."
                )
            gone = self.record.drift(done.listing.table, "missing", done.missing)
            if gone:
                self.report(
                    f"{done.listing.path} no longer sends fields that the mirror keeps: "
                    f"{', '.join(gone)}. They are null in raw.{done.listing.table} from now on."
                )
            yield done

    def _without_erased(self, done: Finished) -> pa.Table:
        column = TABLES[done.listing.table].person
        if not self.kept_out or not column:
            return done.table
        users = done.table.column(column).to_pylist()
        ours = [not is_kept_out(user, self.kept_out) for user in users]
        return done.table.filter(pa.array(ours, pa.bool_()))

    def drop_finished(self) -> None:
        """Forget the cached listings: their rows are loaded."""
        self.reader.forget(self.finished)

    def check_gone(self, table: str, known: set[int], gone: set[int]) -> None:
        """Stop a pass that would delete too much.

        Raises:
            DeletionGuard: More than `max_delete_fraction` of the rows and `min_guarded_rows`.
        """
        settings = self.settings
        limit = max(settings.min_guarded_rows, settings.max_delete_fraction * len(known))
        if len(gone) > limit and not settings.allow_deletes:
            # the next run must ask again: a kept answer would be refused, or confirmed, unseen
            self.reader.forget([listing for listing in self.finished if listing.table == table])
            raise DeletionGuard(
                f"The API no longer lists {len(gone)} of the {len(known)} rows that raw.{table} "
                f"has, more than MAX_DELETE_FRACTION={settings.max_delete_fraction:g} allows. "
                "Nothing was loaded or published. If the rows are really gone (look at the API), "
                "confirm with ALLOW_DELETES=1 for one run."
            )
