"""Sessions at machines open, close and vanish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sandbox.world.changes.action import Action, Report
from sandbox.world.relations.locations import Location, host


class Seats(Action):
    """Sessions at machines open, close and vanish."""

    def actions(self) -> dict[str, Callable[[int], Report]]:
        """Return what can happen, by name."""
        return {
            "open_sessions": self._open_sessions,
            "close_sessions": self._close_sessions,
            "delete_sessions": self._delete_sessions,
        }

    def _open_sessions(self, count: int) -> Report:
        ids = []
        for user in self._students(count):
            stamp, bits = self._clock.stamp(), self._random.getrandbits(48)
            campus_id = user.campus_id or 0
            seat = host(campus_id, bits)
            row = Location(0, user.id, campus_id, seat, bits >> 40 & 15 != 0, stamp, None)
            self._world.locations.add(row)
            user.location = seat
            user.json = None
            ids.append(row.id)
        return {"locations": ids}

    def _close_sessions(self, count: int) -> Report:
        relation = self._world.locations
        rows = self._some(relation.open_rows(), count)
        for row in rows:
            relation.replace(replace(row, end_at=self._clock.stamp()))
        return {"locations": [row.id for row in rows]}

    def _delete_sessions(self, count: int) -> Report:
        """Take sessions away, half of them open ones: 42 removes what was recorded wrongly."""
        relation = self._world.locations
        rows = self._some(relation.open_rows(), count - count // 2)
        left = self._students(count - len(rows))
        rows += [self._random.choice(mine) for user in left if (mine := relation.of_user(user))]
        found = {row.id: row for row in rows}
        for row in found.values():
            relation.remove(row)
        return {"locations": list(found)}
