"""What all processes on the machine know of one application's quota: a small file under a lock."""

import fcntl
import hashlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from extract.base.settings import local_directory

HOUR = 3600.0
BUCKET = 60.0
# times 1/limit seconds between two calls: exactly 1 earns 429 from the least jitter of the network
NARROWEST, WIDEST = 1.1, 3.0
# with this, calls that arrive up to 0.3 s early or late keep 2 a second; nobody knows at first
CAREFUL = 1.65
# narrower with each call: quickly until a 429 has shown where it ends, then hardly
QUICKLY, SLOWLY = 0.002, 0.0001
# 429s that come within so many seconds are for calls that had left before the pace was widened
UNDER_WAY_SECONDS = 2.0
# bytes by which the file grows
BLOCK = 1024


def machine_clock() -> float:
    """Seconds since boot, suspend included: the same for all processes, immune to clock jumps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def quota_directory() -> Path:
    """Where the machine's processes of this user meet: XDG_STATE_HOME/fortytwo-mirror."""
    base = os.environ.get("XDG_STATE_HOME", "")
    if base.startswith("/"):  # a relative one does not count, says its specification
        return Path(base, "fortytwo-mirror")
    try:
        return Path.home() / ".local" / "state" / "fortytwo-mirror"
    except RuntimeError:  # a user without a name, as containers have
        return local_directory() / "state"


@dataclass
class State:
    """What the file holds.

    Attributes:
        next_at: The next free moment, by `machine_clock`; `left_at`: when the last call left.
        buckets: Calls by minute (clock // 60).
        remaining: Calls left in the API's hour by its last answer, `sent` calls ago.
        pace: Seconds between two calls, times the limit of a second.
        refusals: How often a 429 has widened the pace, the last time at `refused_at`.
    """

    secondly_limit: int = 2
    hourly_limit: int = 1200
    next_at: float = 0.0
    left_at: float = 0.0
    buckets: dict[str, int] = field(default_factory=dict)
    remaining: int | None = None
    remaining_hour: float = 0.0
    blocked_until: float = 0.0
    sent: int = 0
    pace: float = CAREFUL
    refusals: int = 0
    refused_at: float = 0.0

    @property
    def gap(self) -> float:
        """Seconds between two calls."""
        return self.pace / self.secondly_limit

    def take_slot(self, now: float) -> float:
        """The next free moment; the one after it is a gap later."""
        if self.next_at > now:  # a call that need not wait shows nothing about the pace
            step = SLOWLY if self.refusals else QUICKLY
            self.pace = max(NARROWEST, self.pace - step)
        moment = max(self.next_at, now)
        self.next_at = moment + self.gap
        return moment

    def widen(self, now: float) -> bool:
        """Keep calls further apart, as two arrived closer than they left; False if just done."""
        if now < self.refused_at + UNDER_WAY_SECONDS:
            return False
        self.pace = min(WIDEST, max(CAREFUL, self.pace * 1.15))
        self.refusals += 1
        self.refused_at = now
        return True


class QuotaFile:
    """The file of one application, safe for many processes and threads.

    Args:
        key: The application (any string; only its hash names the file).
    """

    def __init__(self, key: str, directory: Path | None, clock: Callable[[], float]) -> None:
        directory = directory or quota_directory()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        path = directory / f"quota-{digest}.json"
        # open for good: each call looks into it
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        weakref.finalize(self, os.close, self._file)
        self._clock = clock
        self._thread_lock = threading.Lock()

    @contextmanager
    def locked(self) -> Iterator[State]:
        """The state, for nobody else meanwhile; written back on leaving without an error."""
        with self._thread_lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                data = os.pread(self._file, 1 << 20, 0)
                size, state = len(data), _parsed(data, self._clock())
                ended = self._clock() - HOUR - BUCKET
                state.buckets = {
                    m: n for m, n in state.buckets.items() if float(m) * BUCKET > ended
                }
                yield state
                data = orjson.dumps(vars(state))
                # spaces at the end, or nearly every call would make the file a little shorter
                data = data.ljust(-(-len(data) // BLOCK) * BLOCK)
                os.pwrite(self._file, data, 0)
                if size > len(data):
                    os.ftruncate(self._file, len(data))
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)


def _parsed(data: bytes, now: float) -> State:
    """The state in the file; a damaged one or one from before a reboot starts afresh."""
    try:
        values: dict[str, Any] = orjson.loads(data) if data else {}
        state = State(**values)
        stale = any(float(minute) * BUCKET > now + BUCKET for minute in state.buckets)
        return State() if stale or max(state.next_at, state.left_at) > now + 120 else state
    except (ValueError, TypeError):
        return State()
