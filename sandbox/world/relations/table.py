"""A kept table of rows with an id and, often, a user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar


class _Owned(Protocol):
    id: int
    user_id: int


R = TypeVar("R", bound=_Owned)


class Table(Generic[R]):
    """Rows by id in insertion order, found by user too."""

    def __init__(self, rows: Iterable[R]) -> None:
        self._rows: dict[int, R] = {}
        self._by_user: dict[int, list[R]] = {}
        self._last_id = 0
        for row in rows:
            self._put(row)

    def _put(self, row: R) -> None:
        self._rows[row.id] = row
        self._by_user.setdefault(row.user_id, []).append(row)
        self._last_id = max(self._last_id, row.id)

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, row_id: int) -> R | None:
        """Return one row by id."""
        return self._rows.get(row_id)

    def of_user(self, user_id: int) -> list[R]:
        """Return a person's rows."""
        return self._by_user.get(user_id, [])

    def add(self, row: R) -> None:
        """Add a row; its id is set to the next free one."""
        row.id = self._last_id + 1
        self._put(row)

    def swap(self, row: R) -> None:
        """Put a changed row in the place of the row with its id."""
        mine = self._by_user[row.user_id]
        mine[next(n for n, old in enumerate(mine) if old.id == row.id)] = row
        self._rows[row.id] = row

    def remove(self, row: R) -> None:
        """Delete one row."""
        del self._rows[row.id]
        self._by_user[row.user_id].remove(row)

    def remove_user(self, user_id: int) -> None:
        """Delete everything of a person."""
        for row in list(self.of_user(user_id)):
            self.remove(row)
