"""The record of what clients asked."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from sandbox.clock import Clock

_LOG = 20_000


class Calls:
    """Counts calls by route and status, and finds the busiest second and hour."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._by_path: Counter[str] = Counter()
        self._by_status: Counter[str] = Counter()
        self._by_both: Counter[tuple[str, str]] = Counter()
        self._times: list[float] = []
        self._log: deque[dict[str, Any]] = deque(maxlen=_LOG)
        self._in_flight = 0
        self._most_in_flight = 0

    def arrive(self, limited: bool) -> float:
        """Note that a request came in; only rate limited ones count for the windows."""
        now = self._clock.real()
        if limited:
            self._times.append(now)
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        return now

    def finish(self, when: float, method: str, template: str, target: str, status: str) -> None:
        """Note how a request ended."""
        self._in_flight = max(self._in_flight - 1, 0)
        self._by_path[template] += 1
        self._by_status[status] += 1
        self._by_both[(template, status)] += 1
        self._log.append(
            {"at": when, "method": method, "path": template, "target": target, "status": status}
        )

    def report(self, with_log: bool = False) -> dict[str, Any]:
        """Return the counts; with the last requests one by one if asked."""
        times = sorted(self._times)
        found: dict[str, Any] = {
            "total": sum(self._by_path.values()),
            "limited": len(times),
            "paths": dict(self._by_path),
            "statuses": dict(self._by_status),
            "by_path_and_status": {
                f"{path} {status}": count for (path, status), count in self._by_both.items()
            },
            "max_in_1s": _busiest(times, 1.0),
            "max_in_1h": _busiest(times, 3600.0),
            "max_in_flight": self._most_in_flight,
            "first": times[0] if times else None,
            "last": times[-1] if times else None,
        }
        if with_log:
            found["log"] = list(self._log)
        return found


def _busiest(times: list[float], width: float) -> int:
    most = start = 0
    for end, now in enumerate(times):
        while now - times[start] >= width:
            start += 1
        most = max(most, end - start + 1)
    return most
