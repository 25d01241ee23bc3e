"""What a person sees of an extraction: one line on a terminal, a line per table elsewhere."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from extract.api.quota import Quota, seconds_left
from extract.base import logs
from extract.console import make_console
from extract.listing.listing import Finished, Listing

if TYPE_CHECKING:  # dlt takes a second to import
    from extract.listing.reader import Arrived

# seconds between two notes of a run in ops.runs
NOTE_EVERY = 5.0
# waits that end so close to each other, in seconds, are one wait
SAME_WAIT = 120.0


class ExtractionProgress:
    """Shows calls done of planned, quota left and the expected end as pages arrive.

    One line that changes on a terminal; plain lines without one, with NO_COLOR and on a dumb one.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or make_console()
        terminal = self.console.is_terminal and not self.console.is_dumb_terminal
        self._line: Progress | None = None
        if terminal and not self.console.no_color:
            columns = SpinnerColumn("line"), TextColumn("{task.description}", markup=False)
            self._line = Progress(
                *columns, console=self.console, transient=True, refresh_per_second=4
            )
            self._line.add_task("")
        self._planned: dict[str, int] = {}
        self._rows: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._pages: Counter[str] = Counter()
        self._started: dict[str, float] = {}
        self._begun = self._noted = time.monotonic()
        self._current = ""
        self._waiting_until = 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> ExtractionProgress:
        if self._line:
            self._line.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish_table()
        if self._line:
            self._line.stop()

    def follow(
        self, quota: Quota, planned: Mapping[str, int], note: Callable[[str, int, int | None], None]
    ) -> None:
        """Begin: of no page and no wait may be told before.

        Args:
            quota: Counts the run's calls and knows what the hour has left.
            planned: Calls by table, as far as they are known; empty when nothing is.
            note: Told phase, calls and planned calls now and then, for `make status`.
        """
        self._quota: Quota = quota
        self._note: Callable[[str, int, int | None], None] = note
        self.plan(planned)

    def plan(self, planned: Mapping[str, int]) -> None:
        """Take note of the calls that tables will need."""
        self._planned.update(planned)

    def say(self, sentence: str) -> None:
        """A sentence of its own, above the line."""
        self.console.print(f"  {sentence}", markup=False)
        logs.event("note", message=sentence)

    def waiting(self, seconds: float) -> None:
        """The API's hour is used up: say so once for each wait, however often it is asked."""
        until = time.time() + seconds
        with self._lock:
            if abs(until - self._waiting_until) < SAME_WAIT:
                return
            self._waiting_until = until
        clock = f"{datetime.fromtimestamp(until, UTC):%H:%M} UTC"
        self.say(f"The API's calls of this hour are used up: waiting until {clock}.")
        self._tell(f"waiting for the API's next hour until {clock}")

    def page(self, listing: Listing, page: Arrived) -> None:
        """A page arrived."""
        table = listing.table
        self._turn_to(table)
        if page.number == 1 and page.total is not None:
            self._pages[table] += max(1, math.ceil(page.total / page.per_page))
        self._rows[table] += page.table.num_rows
        self._calls[table] += 1
        if self._line:
            self._line.update(self._line.task_ids[0], description=self.sentence())
        if time.monotonic() - self._noted > NOTE_EVERY:
            self._tell(table)

    def cached(self, finished: Finished) -> None:
        """A listing was there from an interrupted run."""
        self._turn_to(finished.listing.table)
        self._rows[finished.listing.table] += finished.table.num_rows

    def planned(self) -> int | None:
        """Calls that the whole run will take; None while that is not known."""
        budget = self._quota.max_calls
        if not self._planned:
            return budget
        tables = self._planned.keys() | self._calls.keys()
        known = sum(
            max(self._planned.get(table, 0), self._pages[table], self._calls[table])
            for table in tables
        )
        tried_again = max(0, self._quota.calls - self._calls.total())
        return min(known + tried_again, budget or known + tried_again)

    def sentence(self) -> str:
        """Where the run is: table, calls done of planned, expected end, quota left.

        The end of it is what a terminal of 80 columns leaves out.
        """
        done, planned = self._quota.calls, self.planned()
        parts = [
            self._current,
            f"{done:,} calls" if planned is None else f"{done:,} of {planned:,} calls",
        ]
        left, limit, _ = self._quota.left()
        if planned is not None and done:
            pace = (time.monotonic() - self._begun) / done
            seconds = seconds_left(planned - done, pace, left, limit)
            end = datetime.now(UTC) + timedelta(seconds=seconds)
            parts.append(f"ends about {end:%H:%M} UTC")
        parts.append(f"{left:,} of {limit:,} left this hour")
        return ", ".join(part for part in parts if part)

    def _tell(self, phase: str) -> None:
        self._noted = time.monotonic()
        self._note(phase, self._quota.calls, self.planned())

    def _turn_to(self, table: str) -> None:
        if table != self._current:
            self._finish_table()
            self._current = table
            self._started.setdefault(table, time.monotonic())
            self._tell(table)

    def _finish_table(self) -> None:
        """What was expected of a table gives way to what it took; without a terminal, say so."""
        table, self._current = self._current, ""
        if not table:
            return
        if table in self._planned:
            self._planned[table] = self._calls[table]
        if not self._line:
            seconds = time.monotonic() - self._started[table]
            self.console.print(
                f"  {table:<20} {self._rows[table]:>9,} rows {self._calls[table]:>6,} calls "
                f"{seconds:>7.1f} s   {self.sentence()}",
                markup=False,
                soft_wrap=True,
            )
            self.console.file.flush()
