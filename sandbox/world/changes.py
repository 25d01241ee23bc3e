"""How the network lives on: edits, deletions, arrivals."""

from __future__ import annotations

from random import Random
from typing import Any

from ..clock import Clock
from . import World


class Changes:
    """Changes one world."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._rounds = 0

    def advance(self, wishes: dict[str, int]) -> dict[str, Any]:
        """Carry out wishes."""
        return {}

    def delete_row(self, resource: str, row: Any) -> None:
        """Delete a row."""
        Random(0)
