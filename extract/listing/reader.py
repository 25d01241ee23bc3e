"""Complete listings: a listing counts when it adds up to its own X-Total, and only then.

Offset pages are no snapshot: a row deleted in mid-listing shifts later rows back and one is never
seen (42-api.md section 3). So a listing is read to the short page, deduplicated by key and held
against every X-Total it saw; a mismatch is read again, then fails.

What is new comes every few seconds: the list of it, by which nothing is deleted, may never stand
still for as long as it takes to read. Of such a list the rows of all its readings count together,
and the second one completes it even if the list changed under both.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue

import pyarrow as pa

from extract.api.client import FortyTwoClient, Page, PageTooHeavy
from extract.base.errors import ApiError, IncompleteListing
from extract.listing.cache import ListingCache
from extract.listing.columns import missing_fields, to_arrow
from extract.listing.listing import OVERLAP, Finished, Listing
from extract.people.copies import leave_out
from extract.people.kept_out import KeptOut
from extract.tables import TABLES

READINGS = 5
SMALLEST_PAGE = 10


@dataclass(frozen=True)
class Arrived:
    """One page of a listing, held to the contract.

    Attributes:
        fields: Every field that some object of it had.
    """

    table: pa.Table
    fields: set[str]
    number: int
    total: int | None
    per_page: int


class ListingReader:
    """Reads many listings at once, `settings.requests_in_flight` pages at a time.

    Args:
        on_reread: Told of a listing that did not add up, with the reason.
        on_page: Told of the rows of each page as it arrives (for progress).
        on_cached: Told of a listing that an interrupted run had cached.
        kept_out: People whose rows, and copies in others' rows, are left out before anything is
            cached.
    """

    def __init__(
        self,
        client: FortyTwoClient,
        cache: ListingCache,
        api_url: str,
        in_flight: int,
        *,
        on_reread: Callable[[Listing, str], None] = lambda listing, reason: None,
        on_page: Callable[[Listing, Arrived], None] = lambda listing, page: None,
        on_cached: Callable[[Finished], None] = lambda finished: None,
        kept_out: KeptOut | None = None,
    ) -> None:
        self._kept_out = kept_out or KeptOut()
        self._client, self._cache, self._api_url = client, cache, api_url
        self._in_flight = in_flight
        self._computing = threading.Lock()
        self._on_reread, self._on_page, self._on_cached = on_reread, on_page, on_cached

    def finish(self, listings: Iterator[Listing], cache: bool = True) -> Iterator[Finished]:
        """Read every listing to its end; yields each as it gets complete.

        Pages of an earlier listing go before those of a later one, so that an interruption leaves
        few listings half-read.

        Args:
            cache: Answer from the cache what an interrupted run has read, and fill it.

        Raises:
            IncompleteListing: A listing did not add up, several times.
            ApiError, BudgetSpent: See `FortyTwoClient.page`.
        """
        schedule = _Schedule(listings)
        pool = ThreadPoolExecutor(self._in_flight, thread_name_prefix="page")
        try:
            while True:
                yield from self._submit(pool, schedule, cache)
                if not schedule.in_flight:
                    return
                task = self._arrived(schedule)
                finished = self._complete(task) if task else None
                if task and finished:
                    schedule.active.remove(task)
                    if cache:
                        self._cache.put(finished, self._api_url)
                    yield finished
        except BaseException as error:
            self._client.quota.stop()
            # what comes after must not meet pages of before; Ctrl-C waits for nothing
            going_on = isinstance(error, (ApiError, GeneratorExit))
            pool.shutdown(wait=going_on, cancel_futures=True)
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _submit(
        self, pool: ThreadPoolExecutor, schedule: _Schedule, cache: bool
    ) -> Iterator[Finished]:
        """Have `in_flight` pages asked for; yields listings that need none, being cached."""
        while len(schedule.in_flight) < self._in_flight:
            task = schedule.task_with_page()
            if task is None:
                listing = next(schedule.listings, None)
                if listing is None:
                    return
                cached = self._cache.get(listing, self._api_url) if cache else None
                if cached:
                    self._on_cached(cached)
                    yield cached
                    continue
                task = _Progress(listing)
                schedule.active.append(task)
            future = pool.submit(self._page, task, task.take_page())
            schedule.in_flight[future] = task, task.generation
            future.add_done_callback(schedule.arrived.put)

    def _arrived(self, schedule: _Schedule) -> _Progress | None:
        """Take the next page that arrives; returns its listing when that is read to its end."""
        future = schedule.arrived.get()
        task, generation = schedule.in_flight.pop(future)
        is_current = generation == task.generation  # else of before the last restart
        try:
            page = future.result()
            if is_current:
                task.add(page)
                self._on_page(task.listing, page)
        except PageTooHeavy:
            if is_current and task.page_size <= SMALLEST_PAGE:
                raise
            if is_current:
                size = max(SMALLEST_PAGE, task.page_size // 2)
                task.restart(page_size=size)
                reason = f"a page was too heavy, pages of {size} rows now"
                self._on_reread(task.listing, reason)
        return task if task.is_read() and not schedule.pages_in_flight(task) else None

    def forget(self, listings: Sequence[Listing]) -> None:
        """Drop cached listings whose rows are loaded."""
        self._cache.drop(listings, self._api_url)

    def resume(self) -> None:
        """Read on after a listing that failed."""
        self._client.quota.resume()

    def total(self, listing: Listing) -> int | None:
        """How many rows the API says the listing has; None when it does not say."""
        return self._client.page(listing.path, listing.params, size=1).total

    def _page(self, task: _Progress, number: int) -> Arrived:
        listing = task.listing
        page = self._client.page(
            listing.path,
            listing.params,
            number=number,
            size=task.page_size,
            background=listing.background,
        )
        # one at a time: threads that compute together hand the interpreter back and forth
        with self._computing:
            return _held_to_contract(listing, page)

    @property
    def keeps_people_out(self) -> bool:
        """Whether somebody's rows are left out of what the API lists."""
        return bool(self._kept_out)

    def _complete(self, task: _Progress) -> Finished | None:
        """The finished listing, or None after starting it again."""
        reason = task.mismatch()
        if not reason:
            done = task.finished()
            if not self._kept_out:
                return done
            declared = TABLES[done.listing.table]
            return replace(done, table=leave_out(declared, done.table, self._kept_out))
        if task.readings >= READINGS:
            raise IncompleteListing(
                f"GET /v2{task.listing.path} ({task.listing.key}) never added up in "
                f"{READINGS} readings: {reason}. A list that does not add up is not "
                "loaded. Run the same command again; if it stays, the API's X-Total is wrong."
            )
        self._on_reread(task.listing, reason)
        task.restart()
        return None


def _held_to_contract(listing: Listing, page: Page) -> Arrived:
    rows = page.rows
    if listing.on_row:
        for row in rows:
            listing.on_row(row)
    fields: set[str] = set().union(*rows)
    for row in rows:
        row.update(listing.constants)
    table = to_arrow(TABLES[listing.table], rows, f"/v2{listing.path}")
    return Arrived(table, fields, page.number, page.total, page.per_page)


class _Schedule:
    """The listings under way, the earliest first, and their pages in flight."""

    def __init__(self, listings: Iterator[Listing]) -> None:
        self.listings = listings
        self.active: list[_Progress] = []
        self.in_flight: dict[Future[Arrived], tuple[_Progress, int]] = {}
        self.arrived: SimpleQueue[Future[Arrived]] = SimpleQueue()

    def pages_in_flight(self, task: _Progress) -> int:
        return sum(other is task for other, _ in self.in_flight.values())

    def task_with_page(self) -> _Progress | None:
        """The earliest listing that may ask for another page now."""
        for task in self.active:
            if task.has_page() and self.pages_in_flight(task) < task.listing.in_flight:
                return task
        return None


class _Progress:
    """One listing while it is being read."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.page_size = listing.page_size
        self.readings = 0
        self.calls = 0
        self.generation = 0
        self._before: list[pa.Table] = []
        self._tables: dict[int, pa.Table] = {}
        self.restart()

    def restart(self, page_size: int | None = None) -> None:
        if page_size:
            self.page_size = page_size
        self.readings += 0 if page_size else 1
        self.generation += 1
        if self.listing.merged:
            self._before += self._in_order()
        self._tables = {}
        self._began = time.monotonic()
        self._first_total: int | None = None
        self._totals: set[int | None] = set()
        self._fields: set[str] = set()
        self._last: int | None = None
        self._next = 1

    def has_page(self) -> bool:
        """Whether another page may be asked for now."""
        if self._next == 1:
            return True
        return self._last is not None and self._next <= self._last

    def take_page(self) -> int:
        self._next += 1
        return self._next - 1

    def add(self, page: Arrived) -> None:
        self.calls += 1
        rows = page.table.num_rows
        self._fields |= page.fields
        self._tables[page.number] = page.table
        self._totals.add(page.total)
        if page.number == 1:
            self._first_total = page.total
        if page.total is not None:
            pages = math.ceil(page.total / page.per_page)
            self._last = max(self._last or 1, pages)
            if self.listing.to_short_page and page.number == pages and rows == page.per_page:
                self._last = max(self._last, pages + 1)
        elif rows == page.per_page:
            # no X-Total: go on to the short page
            self._last = max(self._last or 1, page.number + 1)
        else:
            self._last = max(self._last or 1, page.number)

    def is_read(self) -> bool:
        return self._last is not None and len(self._tables) >= self._last

    def mismatch(self) -> str:
        """Why the pages are no complete list; empty when they are."""
        if len(self._totals) > 1:
            if self._is_whole_together():
                return ""
            known = sorted(str(total) for total in self._totals)
            return f"the list changed while it was read (X-Total {' and '.join(known)})"
        total = next(iter(self._totals))
        rows = sum(table.num_rows for table in self._tables.values())
        distinct = self._distinct_keys(self._in_order())
        if distinct != rows:
            return f"{rows - distinct} rows came twice"
        if total is not None and distinct != total:
            return f"{distinct} rows of {total} came"
        if distinct == 0 and self.listing.must_have_rows:
            return "an empty answer for a list that always has members"
        return ""

    def finished(self) -> Finished:
        tables = self._in_order()
        table = pa.concat_tables(tables).combine_chunks()
        if len(self._totals) > 1:
            table = self._newest(pa.concat_tables([*self._before, *tables]))
        self._tables = {}  # their rows are in memory twice
        declared = TABLES[self.listing.table]
        return Finished(
            self.listing,
            table,
            self.calls,
            self.readings,
            time.time(),
            table.num_rows,
            missing_fields(declared, self._fields, table) if self._fields else (),
        )

    def _is_whole_together(self) -> bool:
        """Whether all readings have as many rows as there were when the last one began."""
        within = time.monotonic() - self._began < OVERLAP.total_seconds()
        if not (self.listing.merged and self.readings > 1 and within) or self._first_total is None:
            return False
        return self._distinct_keys([*self._before, *self._in_order()]) >= self._first_total

    def _in_order(self) -> list[pa.Table]:
        return [self._tables[number] for number in sorted(self._tables)]

    def _newest(self, table: pa.Table) -> pa.Table:
        """Each row once, as it was read last."""
        keys = list(TABLES[self.listing.table].primary_key)
        places = table.select(keys).append_column("place", pa.array(range(len(table))))
        last = places.group_by(keys).aggregate([("place", "max")]).column("place_max")
        return table.take(last.combine_chunks().sort()).combine_chunks()

    def _distinct_keys(self, tables: Sequence[pa.Table]) -> int:
        names = TABLES[self.listing.table].primary_key
        columns = [[key for t in tables for key in t.column(name).to_pylist()] for name in names]
        return len(set(columns[0] if len(columns) == 1 else zip(*columns, strict=True)))
