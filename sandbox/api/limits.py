"""The two rate windows of an application and the headers that tell about them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from sandbox.clock import Clock

PRACTICALLY_UNLIMITED = 1_000_000
HOUR = 3600.0


@dataclass(frozen=True)
class Verdict:
    """What the limiter says about one request."""

    allowed: bool
    window: str
    retry_after: int
    headers: dict[str, str]


class Limits:
    """At most n requests in any second and m in an hour that starts with the first request."""

    def __init__(self, clock: Clock, mode: str) -> None:
        self._clock = clock
        self.retry_after = True
        self._second: deque[float] = deque()
        self._hour_start = 0.0
        self._hour_count = 0
        self.set_mode(mode)

    def set_mode(self, mode: str) -> None:
        """Switch between `real` (2/s, 1200/h) and `fast` (never in the way).

        Raises:
            ValueError: for any other word.
        """
        if mode not in ("real", "fast"):
            raise ValueError("limits are `real` or `fast`")
        self.mode = mode
        self.per_second = 2 if mode == "real" else PRACTICALLY_UNLIMITED
        self.per_hour = 1200 if mode == "real" else PRACTICALLY_UNLIMITED

    def take(self) -> Verdict:
        """Count one request, or refuse it."""
        now = self._clock.real()
        while self._second and now - self._second[0] >= 1.0:
            self._second.popleft()
        if not 0 <= now - self._hour_start < HOUR:
            self._hour_start, self._hour_count = now, 0
        if self._hour_count >= self.per_hour:
            wait = int(self._hour_start + HOUR - now) + 1
            return Verdict(False, "hour", wait, self.headers())
        if len(self._second) >= self.per_second:
            return Verdict(False, "second", 1, self.headers())
        self._hour_count += 1
        if self.mode == "real":
            self._second.append(now)
        return Verdict(True, "", 0, self.headers())

    def exhaust(self, window: str) -> Verdict:
        """Refuse a request as if a window were used up (fault injection)."""
        headers = self.headers()
        name = "X-Hourly-RateLimit-Remaining" if window == "hour" else ""
        headers[name or "X-Secondly-RateLimit-Remaining"] = "0"
        left = self._hour_start + HOUR - self._clock.real()
        hour = int(left) + 1 if 0 < left <= HOUR else int(HOUR)
        return Verdict(False, window, hour if window == "hour" else 1, headers)

    def headers(self) -> dict[str, str]:
        """Return the four rate limit headers."""
        return {
            "X-Secondly-RateLimit-Limit": str(self.per_second),
            "X-Secondly-RateLimit-Remaining": str(max(self.per_second - len(self._second), 0)),
            "X-Hourly-RateLimit-Limit": str(self.per_hour),
            "X-Hourly-RateLimit-Remaining": str(max(self.per_hour - self._hour_count, 0)),
        }

    def reset(self) -> None:
        """Forget every request."""
        self._second.clear()
        self._hour_start, self._hour_count = 0.0, 0
