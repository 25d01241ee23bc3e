"""What every kind of change needs: the world, the time, chance, and students to choose from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from sandbox.clock import Clock
from sandbox.world.people.users import User
from sandbox.world.relations.lazy import LazyRelation
from sandbox.world.world import World

Report = dict[str, list[Any]]


class Action:
    """What one kind of change needs.

    Args:
        world: what changes.
        clock: gives every change its moment.
        random: the source of chance.
        students: takes students that this call has not touched yet.
    """

    def __init__(
        self,
        world: World,
        clock: Clock,
        random: Random,
        students: Callable[[int], list[User]],
    ) -> None:
        self._world = world
        self._clock = clock
        self._random = random
        self._students = students

    def _some(self, rows: list[Any], count: int) -> list[Any]:
        return self._random.sample(rows, min(count, len(rows)))

    def _change(self, relation: LazyRelation[Any], rows: list[Any], **values: Any) -> list[int]:
        for row in rows:
            relation.replace(replace(row, updated_at=self._clock.stamp(), **values))
        return [row.id for row in rows]
