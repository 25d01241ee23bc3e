"""A relation that is computed on request.

A network has millions of projects_users and achievements_users. None of them is kept: a row is a
function of (seed, person, number of the row), so only the count of each person is stored. What the
world changes afterwards is an overlay: replaced, removed and added rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from math import gcd
from typing import Generic, Protocol, TypeVar

from sandbox.world.people.users import ANCHOR, User
from sandbox.world.values import DAY, mix


class _Dated(Protocol):
    id: int
    user_id: int

    @property
    def updated_at(self) -> int:
        """Return the moment by which the rows of a person are in order."""


R = TypeVar("R", bound=_Dated)


class LazyRelation(ABC, Generic[R]):
    """A relation whose rows are made when asked for, with an overlay of changes."""

    def __init__(self, users: list[User], salt: int, first_id: int, average: int) -> None:
        self._users = users
        self._salt = salt
        self._first_id = first_id
        self._counts = array("H")
        self._starts = array("q")
        self._spans = array("q")
        self._offsets = array("q", [0])
        for user in users:
            count = self._count(user, average)
            start, end = self._span(user)
            self._counts.append(count)
            self._starts.append(start)
            self._spans.append(max(end - start, DAY // 4))
            self._offsets.append(self._offsets[-1] + count)
        self._size = self._offsets[-1]
        self._next_id = first_id + self._size
        self._replaced: dict[int, R] = {}
        self._removed: set[int] = set()
        self._added: dict[int, R] = {}
        self._added_by_user: dict[int, list[int]] = {}
        self._gone: set[int] = set()

    def _count(self, user: User, average: int) -> int:
        bits = mix(self._salt, user.id)
        if ANCHOR not in user.cursus:
            return average // 4 + bits % 3
        # Between nothing and twice the average.
        return bits % (2 * average + 1)

    def _span(self, user: User) -> tuple[int, int]:
        """Return between which moments a person's base rows were updated."""
        return user.created_at + DAY, user.last_seen

    @abstractmethod
    def _make(self, user: User, number: int, row_id: int, updated: int) -> R:
        """Return a person's nth base row."""

    def updated_at(self, index: int, number: int) -> int:
        """Return when a base row was last updated; it grows with `number`."""
        span = self._spans[index]
        jitter = mix(self._salt ^ 0x5151, (index << 10) | number) % span
        return self._starts[index] + (number * span + jitter) // self._counts[index]

    def base_id(self, index: int, number: int) -> int:
        """Return the id of a person's nth base row."""
        return self._first_id + self._offsets[index] + number

    def __len__(self) -> int:
        """Count the rows there are now."""
        return self._size

    def _index(self, row_id: int) -> int:
        return bisect_right(self._offsets, row_id - self._first_id) - 1

    def of_user(self, user: User) -> list[R]:
        """Return a person's rows as they are now, oldest update first."""
        if user.id in self._gone:
            return []
        rows: list[R] = []
        index = user.index
        if 0 <= index < len(self._counts):
            base = self._first_id + self._offsets[index]
            for number in range(self._counts[index]):
                row_id = base + number
                if row_id in self._removed:
                    continue
                row = self._replaced.get(row_id)
                if row is None:
                    row = self._make(user, number, row_id, self.updated_at(index, number))
                rows.append(row)
        rows += [self._added[row_id] for row_id in self._added_by_user.get(user.id, ())]
        return rows

    def find(self, row_id: int) -> R | None:
        """Return one row by id."""
        if row_id in self._added:
            return self._added[row_id]
        if row_id in self._removed or not self.is_base(row_id):
            return None
        if row_id in self._replaced:
            return self._replaced[row_id]
        if self._gone and self.owner(row_id).id in self._gone:
            return None
        return self.base_row(row_id)

    def is_base(self, row_id: int) -> bool:
        """Tell whether a row was there at the epoch."""
        return self._first_id <= row_id < self._first_id + self._offsets[-1]

    def owner(self, row_id: int) -> User:
        """Return whose base row this is."""
        return self._users[self._index(row_id)]

    def base_row(self, row_id: int) -> R:
        """Return a row as it was at the epoch."""
        index = self._index(row_id)
        number = row_id - self._first_id - self._offsets[index]
        return self._make(self._users[index], number, row_id, self.updated_at(index, number))

    def all(self) -> Iterator[R]:
        """Yield every row, person by person; those who came later at the end."""
        for user in self._users:
            yield from self.of_user(user)
        last = self._users[-1].id
        yield from [row for row in self._added.values() if row.user_id > last]

    def ids_updated(self, low: int | None, high: int | None) -> list[tuple[int, int]]:
        """Return (updated_at, id) of every row updated between two moments, unsorted.

        Rows of a person are ordered by update, so only the people whose span meets the range
        are looked at, and only their rows inside it are computed.
        """
        found: list[tuple[int, int]] = []
        for index in self._people_updated(low, high):
            first, last = self._window(index, low, high)
            base = self._first_id + self._offsets[index]
            for number in range(first, last):
                updated = self.updated_at(index, number)
                if _inside(updated, low, high):
                    found.append((updated, base + number))
        overlaid = self._replaced.keys() | self._removed
        if overlaid:
            found = [pair for pair in found if pair[1] not in overlaid]
        changed = self.overlaid()
        found += [(row.updated_at, row.id) for row in changed if _inside(row.updated_at, low, high)]
        return found

    def _people_updated(self, low: int | None, high: int | None) -> Iterator[int]:
        """Yield the people whose base rows may be inside a range of updates."""
        spans, counts, gone = self._spans, self._counts, self._gone
        for index, start in enumerate(self._starts):
            if (
                counts[index]
                and (low is None or start + spans[index] >= low)
                and (high is None or start <= high)
                and not (gone and self._users[index].id in gone)
            ):
                yield index

    def matching(self, base: Callable[[User, int], bool], overlaid: Callable[[R], bool]) -> list[R]:
        """Return the rows of one parent; `base` decides without making the row."""
        ids = [
            self._first_id + self._offsets[index] + number
            for index, count in enumerate(self._counts)
            for number in range(count)
            if base(self._users[index], number)
        ]
        rows = [row for row in map(self.find, (*ids, *self._added)) if row is not None]
        return [row for row in rows if overlaid(row)]

    def _window(self, index: int, low: int | None, high: int | None) -> tuple[int, int]:
        """Return the numbers of the rows that can be inside a range, one too many at each end."""
        count, start, span = self._counts[index], self._starts[index], self._spans[index]
        first = 0 if low is None else max((low - start) * count // span - 1, 0)
        last = count if high is None else min((high - start) * count // span + 1, count)
        return first, max(last, first)

    def overlaid(self) -> list[R]:
        """Return the rows that came or changed after the epoch."""
        return [*self._replaced.values(), *self._added.values()]

    # -- changes ---------------------------------------------------------------------------

    def replace(self, row: R) -> None:
        """Put a changed row in the place of the row with its id."""
        if row.id in self._added:
            self._added[row.id] = row
        else:
            self._replaced[row.id] = row

    def remove(self, row: R) -> None:
        """Delete one row."""
        self._size -= 1
        if row.id in self._added:
            del self._added[row.id]
            self._added_by_user[row.user_id].remove(row.id)
        else:
            self._replaced.pop(row.id, None)
            self._removed.add(row.id)

    def add(self, row: R) -> None:
        """Add a row; its id is set to the next free one."""
        self._size += 1
        row.id = self._next_id
        self._next_id += 1
        self._added[row.id] = row
        self._added_by_user.setdefault(row.user_id, []).append(row.id)

    def remove_user(self, user: User) -> None:
        """Delete everything of a person."""
        for row in self.of_user(user):
            self._size -= 1
            self._replaced.pop(row.id, None)
            self._added.pop(row.id, None)
        self._added_by_user.pop(user.id, None)
        self._gone.add(user.id)


def _inside(value: int, low: int | None, high: int | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def strides(size: int) -> list[int]:
    """Return steps that visit every place of a ring of `size` before they repeat one."""
    return [step for step in range(1, max(size, 2)) if gcd(step, size) == 1][:97] or [1]
