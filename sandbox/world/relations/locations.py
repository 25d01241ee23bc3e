"""locations: who sat at which machine, and who still does."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.world.people.users import User
from sandbox.world.relations.lazy import LazyRelation
from sandbox.world.values import DAY, EPOCH_MS, HOUR, mix

WINDOW = 120 * DAY
LONGEST = 11 * HOUR
_MINUTE = HOUR // 60
# How a campus calls its machines; the last one is nobody's seat in a cluster.
_HOSTS = ("c{}r{}s{}", "k{}r{}p{}", "f{}r{}s{}", "laptop-{}{}{}")


@dataclass(slots=True)
class Location:
    """One session of a person at a machine; without an end it is still open."""

    id: int
    user_id: int
    campus_id: int
    host: str
    primary: bool
    begin_at: int
    end_at: int | None

    @property
    def updated_at(self) -> int:
        """Return when it began: a session has no other date that orders it."""
        return self.begin_at


class Locations(LazyRelation[Location]):
    """locations of the last four months; some were never closed, though nobody sits there."""

    def __init__(self, users: list[User], salt: int, average: int, campuses: list[int]) -> None:
        self._campuses = campuses
        # a person may change the campus later; where they sat stays
        self._homes = {user.id: user.campus_id for user in users}
        super().__init__(users, salt, 9_000, average)
        self._ghosts = [
            self.base_id(user.index, 0)
            for user in users
            if self._counts[user.index] and self._is_ghost(user, 0)
        ]

    def _count(self, user: User, average: int) -> int:
        if user.campus_id is None or user.last_seen < EPOCH_MS - WINDOW:
            return 0
        return super()._count(user, average)

    def _span(self, user: User) -> tuple[int, int]:
        recent = user.last_seen > EPOCH_MS - 20 * DAY
        start = max(user.created_at + DAY, EPOCH_MS - WINDOW)
        return start, EPOCH_MS if recent else user.last_seen

    def _is_ghost(self, user: User, number: int) -> bool:
        return number == 0 and mix(self._salt ^ 0x66, user.id) % 100 == 0

    def campus_of(self, user: User, number: int) -> int:
        """Return where a person's nth session was: at home, or on a visit now and then."""
        bits = mix(self._salt ^ 0x55, user.id << 12 | number)
        home = self._homes[user.id] or 0
        return home if bits % 32 else self._campuses[(bits >> 8) % len(self._campuses)]

    def _make(self, user: User, number: int, row_id: int, updated: int) -> Location:
        bits = mix(self._salt ^ 0x2222, row_id)
        end = updated + (10 + bits % 640) * _MINUTE
        closed = end <= EPOCH_MS and not self._is_ghost(user, number)
        campus_id = self.campus_of(user, number)
        return Location(
            id=row_id,
            user_id=user.id,
            campus_id=campus_id,
            host=host(campus_id, bits >> 12),
            primary=bits >> 40 & 15 != 0,
            begin_at=updated,
            end_at=end if closed else None,
        )

    def open_rows(self) -> list[Location]:
        """Return the sessions that have no end."""
        ids = [row_id for _, row_id in self.ids_updated(EPOCH_MS - LONGEST, None)]
        rows = [self.find(row_id) for row_id in dict.fromkeys((*self._ghosts, *ids))]
        found = {row.id: row for row in (*rows, *self.overlaid()) if row is not None}
        return [row for row in found.values() if row.end_at is None]

    def ended(self, low: int, high: int) -> list[Location]:
        """Return candidates for the sessions that ended between two moments."""
        ids = [row_id for _, row_id in self.ids_updated(low - LONGEST, high)]
        rows = (self.find(row_id) for row_id in ids)
        return list({row.id: row for row in (*rows, *self.overlaid()) if row is not None}.values())


def host(campus_id: int, bits: int) -> str:
    """Return the name of a machine of a campus."""
    pattern = _HOSTS[3] if bits % 50 == 0 else _HOSTS[campus_id % 3]
    return pattern.format(1 + bits % 3, 1 + (bits >> 4) % 9, 1 + (bits >> 8) % 12)
