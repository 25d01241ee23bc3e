"""One limiter for every process on the machine that uses the same application key.

The API allows 2 requests a second and 1,200 an hour per application (42-api.md section 2) and
tells both limits and what is left with every answer. A file (`quota_file`) holds the next free
moment and the calls of the last hour; the answers' headers correct it, so that calls of other
machines with the same key count too. The network brings calls closer together than they left, by
how much nobody knows: each 429 of the second widens the pace, and good answers narrow it again.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import ceil
from pathlib import Path

from extract.api.quota_file import BUCKET, HOUR, QuotaFile, State, machine_clock
from extract.base.errors import ApiError, BudgetSpent

# calls of each hour that background work (the backfill) leaves to live passes
RESERVED_FOR_LIVE = 100
# seconds that no process can sleep exactly
LEAST_SLEEP = 0.001


class Quota:
    """Hands out the moments at which a call may leave.

    Args:
        key: The application (any string; only its hash names the file).
        max_calls: Budget of this run; None for no budget.
        max_wait: Longest wait for the hour's window, in seconds, before `BudgetSpent`.
        on_wait: Told the seconds of a wait for the hour, again and again while it lasts.
        clock: Seconds, shared by all processes.
    """

    def __init__(
        self,
        key: str,
        *,
        directory: Path | None = None,
        max_calls: int | None = None,
        max_wait: float = HOUR + BUCKET,
        on_wait: Callable[[float], None] = lambda seconds: None,
        clock: Callable[[], float] = machine_clock,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._file = QuotaFile(key, directory, clock)
        self._stopping = threading.Event()
        self._clock, self._sleep, self._on_wait = clock, sleep or self.pause, on_wait
        self._max_wait = max_wait
        # one call goes ahead alone: its answer tells the limits before six go at once
        self._first = threading.Lock()
        self._told = threading.Event()
        self.max_calls = max_calls
        self.calls = 0

    def acquire(self, background: bool = False) -> None:
        """Wait for the next free moment and take it.

        Args:
            background: Leave `RESERVED_FOR_LIVE` calls of the hour to live passes.

        Raises:
            BudgetSpent: The run's budget is used up, or the hour's window opens too late.
        """
        if not self._told.is_set() and not self._first.acquire(blocking=False):
            self._told.wait(timeout=60.0)
        moment, refusals = self._slot(background)
        while True:
            if (delay := moment - self._clock()) > 0:
                self._sleep(delay)
            with self._file.locked() as state:
                now = self._clock()
                if state.refusals != refusals:
                    # the pace was widened meanwhile: what was handed out before counts no more
                    moment, refusals = state.take_slot(now), state.refusals
                elif (moment := state.left_at + state.gap) <= now + LEAST_SLEEP:
                    state.left_at = now
                    return
                # else the call before left late, of a busy machine: this one keeps its distance

    def _slot(self, background: bool) -> tuple[float, int]:
        """The moment of the next call, and how often the pace had been widened until now."""
        while True:
            with self._file.locked() as state:
                now = self._clock()
                if self.max_calls is not None and self.calls >= self.max_calls:
                    raise BudgetSpent(
                        f"The budget of {self.max_calls} calls is spent. What was read is kept; "
                        "the next run goes on from here."
                    )
                wait = self._hour_wait(state, now, RESERVED_FOR_LIVE if background else 0)
                if wait <= 0:
                    moment = state.take_slot(now)
                    self._count(state, moment)
                    self.calls += 1
                    return moment, state.refusals
            if background or wait > self._max_wait:
                raise BudgetSpent(
                    "The API's calls of this hour are used up"
                    + (" but for those kept for live passes" if background else "")
                    + f"; more are free in about {ceil(wait / 60)} min. What was read is kept; "
                    "the next run goes on from here."
                )
            if wait > 5:
                self._on_wait(wait)
            self._sleep(min(wait, 30.0))

    def unanswered(self) -> None:
        """Take note of a call that brought no answer: if it went ahead, the next one does."""
        if not self._told.is_set():
            with suppress(RuntimeError):  # it was not the one
                self._first.release()

    def stop(self) -> None:
        """End every wait: the run is over."""
        self._stopping.set()
        self._told.set()

    def resume(self) -> None:
        """Wait again, after `stop`."""
        self._stopping.clear()

    def pause(self, seconds: float) -> None:
        """Wait, unless the run is over.

        Raises:
            ApiError: It is.
        """
        if self._stopping.wait(max(0.0, seconds)):
            raise ApiError("The run was stopped.")

    def learn(self, headers: Mapping[str, str]) -> None:
        """Correct the state by the `X-*-RateLimit-*` headers of an answer."""
        secondly = header_number(headers, "X-Secondly-RateLimit-Limit")
        hourly = header_number(headers, "X-Hourly-RateLimit-Limit")
        remaining = header_number(headers, "X-Hourly-RateLimit-Remaining")
        self._told.set()
        if secondly is None and hourly is None and remaining is None:
            return
        with self._file.locked() as state:
            if secondly and secondly > state.secondly_limit:
                # slots handed out at the older, slower pace count no more
                state.next_at = min(state.next_at, self._clock() + state.pace / secondly)
            state.secondly_limit = secondly or state.secondly_limit
            if hourly:
                state.hourly_limit = hourly
            if remaining is not None:
                state.remaining, state.remaining_hour = remaining, time.time() // HOUR
                state.sent = 0

    def refused(self, headers: Mapping[str, str]) -> float:
        """Take note of a 429 for all processes; returns the seconds until the next try.

        `Retry-After` counts if sent; else one second for the secondly window, or the rest of the
        clock hour when no hourly call is left (no answer tells when the hour starts).
        """
        self._told.set()
        retry_after = header_number(headers, "Retry-After")
        hour_spent = (
            header_number(headers, "X-Hourly-RateLimit-Remaining") == 0 or (retry_after or 0) > 60
        )
        if retry_after is not None:
            wait = float(retry_after)
        elif hour_spent:
            wait = HOUR - time.time() % HOUR + 1
        else:
            wait = 1.0
        with self._file.locked() as state:
            now = self._clock()
            if hour_spent:
                state.blocked_until = max(state.blocked_until, now + wait)
                # the API's hour starts when it likes: at the end of the wait, its answer counts
                state.remaining = None
            elif state.widen(now):
                state.next_at = now + state.gap  # all slots that were handed out are void
            state.next_at = max(state.next_at, now + min(wait, 60.0))
        return wait

    def left(self) -> tuple[int, int, int]:
        """(calls left in this hour, hourly limit, secondly limit), as far as this machine knows."""
        with self._file.locked() as state:
            return (self._available(state), state.hourly_limit, state.secondly_limit)

    def seconds_between_calls(self) -> float:
        """The pace that is kept now, by all processes together."""
        with self._file.locked() as state:
            return state.gap

    def _available(self, state: State) -> int:
        own = sum(state.buckets.values())
        available = state.hourly_limit - own
        if state.remaining is not None and state.remaining_hour == time.time() // HOUR:
            available = min(available, state.remaining - state.sent)
        return max(0, available)

    def _hour_wait(self, state: State, now: float, reserved: int) -> float:
        """Seconds until the hour's windows let a call through; 0 for now."""
        if state.blocked_until > now:
            return state.blocked_until - now
        if self._available(state) > reserved:
            return 0.0
        own = sum(state.buckets.values())
        if state.hourly_limit - own <= reserved:
            oldest = min(float(minute) for minute in state.buckets) if state.buckets else now
            return max(1.0, (oldest + 1) * BUCKET + HOUR - now)
        # others used the key: the clock hour is the best guess, one call then tells more
        return HOUR - time.time() % HOUR + 1

    def _count(self, state: State, moment: float) -> None:
        minute = str(int(moment // BUCKET))
        state.buckets[minute] = state.buckets.get(minute, 0) + 1
        state.sent += 1


def seconds_left(calls: int, pace: float, left: int, limit: int) -> float:
    """How long so many calls will take.

    Args:
        pace: Seconds from one call to the next, as they were so far.
        left: Calls left in this hour; `limit` is what every hour allows.
    """
    hours = ceil(max(0, calls - left) / max(1, limit))
    return max(calls * pace, hours * HOUR)


def header_number(headers: Mapping[str, str], name: str) -> int | None:
    """A header's whole number; None when it is missing or no number."""
    text = headers.get(name, "").strip()
    return int(text) if text.isdigit() else None
