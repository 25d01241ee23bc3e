"""What a person sees of an extraction: bars on a terminal, one line per resource elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from extract.base import logs
from extract.listing.listing import Finished, Listing
from extract.listing.reader import Arrived


class ExtractionProgress:
    """Shows pages as they arrive. On a terminal live bars (unless NO_COLOR asks for plain)."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=False, highlight=False)
        live = self.console.is_terminal and os.environ.get("TERM") != "dumb"
        self._progress = (
            Progress(
                TextColumn("  {task.description:<20}"),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TextColumn("rows"),
                TimeElapsedColumn(),
                console=self.console,
            )
            if live
            else None
        )
        self._tasks: dict[str, int] = {}
        self._totals: dict[str, int] = defaultdict(int)
        self._rows: dict[str, int] = defaultdict(int)
        self._calls: dict[str, int] = defaultdict(int)
        self._started: dict[str, float] = {}
        self._current = ""

    def __enter__(self) -> ExtractionProgress:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close_line()
        if self._progress:
            self._progress.stop()

    def say(self, sentence: str) -> None:
        """A sentence of its own, above the bars."""
        self._close_line()
        self.console.print(f"  {sentence}", markup=False)
        logs.event("note", message=sentence)

    def page(self, listing: Listing, page: Arrived) -> None:
        """A page arrived."""
        self._turn_to(listing.table)
        rows = page.table.num_rows
        if page.number == 1:
            self._totals[listing.table] += page.total if page.total is not None else rows
        self._rows[listing.table] += rows
        self._calls[listing.table] += 1
        if self._progress:
            self._progress.update(
                self._tasks[listing.table],  # type: ignore[arg-type]
                total=max(self._totals[listing.table], self._rows[listing.table]),
                completed=self._rows[listing.table],
            )

    def cached(self, finished: Finished) -> None:
        """A listing was there from an interrupted run."""
        self._turn_to(finished.listing.table)
        self._totals[finished.listing.table] += finished.table.num_rows
        self._rows[finished.listing.table] += finished.table.num_rows

    def _turn_to(self, table: str) -> None:
        if table != self._current:
            self._close_line()
            self._current = table
        if table not in self._started:
            self._started[table] = time.monotonic()
            if self._progress:
                self._tasks[table] = self._progress.add_task(table, total=None)

    def _close_line(self) -> None:
        """Without a terminal: one line when a resource is done."""
        table, self._current = self._current, ""
        if table and not self._progress:
            seconds = time.monotonic() - self._started[table]
            self.console.print(
                f"  {table:<20} {self._rows[table]:>9,} rows {self._calls[table]:>6,} calls "
                f"{seconds:>7.1f} s",
                markup=False,
            )
            sys.stdout.flush()
