"""The sandbox's two clocks: the real one for tokens and limits, the world's for changes."""

from __future__ import annotations

import time

from sandbox.world.values import EPOCH_MS


class Clock:
    """Real time plus a skew; world time is the epoch plus what has passed since the start."""

    def __init__(self) -> None:
        self._skew = 0.0
        self._started = time.time()
        self._last_change = EPOCH_MS

    def real(self) -> float:
        """Return seconds since 1970, for token age and rate windows."""
        return time.time() + self._skew

    def world(self) -> int:
        """Return the world's time in milliseconds."""
        return EPOCH_MS + int((self.real() - self._started) * 1000)

    def stamp(self) -> int:
        """Return a moment later than every change before it."""
        self._last_change = max(self.world(), self._last_change + 1)
        return self._last_change

    def advance(self, seconds: float) -> None:
        """Move both clocks forward.

        Raises:
            ValueError: when asked to go back.
        """
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        self._skew += seconds

    def reset(self) -> None:
        """Go back to real time and the epoch."""
        self.__init__()  # type: ignore[misc]
