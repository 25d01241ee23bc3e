"""quests and quests_users: the milestones of the cursus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.world.people.users import ANCHOR, User
from sandbox.world.relations.lazy import LazyRelation
from sandbox.world.values import DAY, at, iso, mix

Row = dict[str, Any]

# The numbers and slugs that public clients name.
_RANKS = {44 + rank: f"common-core-rank-{rank:02d}" for rank in range(6)}


@dataclass(slots=True)
class QuestsUser:
    """One person on one quest."""

    id: int
    user_id: int
    quest_id: int
    end_at: int | None
    validated_at: int | None
    prct: float | None
    advancement: str | None
    created_at: int
    updated_at: int


def build_quests() -> list[Row]:
    """Make the ranks of the common core, and the common core itself."""
    return [
        {
            "id": quest_id,
            "name": slug.replace("-", " ").capitalize(),
            "slug": slug,
            "kind": "main",
            "internal_name": slug,
            "description": f"Validate every project of the {slug}.",
            "cursus_id": ANCHOR,
            "campus_id": None,
            "created_at": iso(at(2019, 7, 29) + quest_id * DAY),
            "updated_at": iso(at(2024, 3, 1) + quest_id * DAY),
            "grade_id": None,
            "position": position,
        }
        for position, (quest_id, slug) in enumerate({**_RANKS, 37: "common-core"}.items())
    ]


class QuestsUsers(LazyRelation[QuestsUser]):
    """quests_users: a rank after the other; the last one may still be open."""

    def __init__(self, users: list[User], salt: int, quests: list[int]) -> None:
        self._quests = quests
        super().__init__(users, salt, 70_000, len(quests))

    def _count(self, user: User, average: int) -> int:
        return mix(self._salt, user.id) % (average + 1) if ANCHOR in user.cursus else 0

    def _make(self, user: User, number: int, row_id: int, updated: int) -> QuestsUser:
        bits = mix(self._salt ^ 0x1111, row_id)
        last = number == self._counts[user.index] - 1
        validated = not last or bits % 2 == 0
        return QuestsUser(
            id=row_id,
            user_id=user.id,
            quest_id=self._quests[number],
            end_at=updated + 200 * DAY if bits % 5 == 0 else None,
            validated_at=updated if validated else None,
            prct=100.0 if validated else float(bits % 100) if bits % 3 else None,
            advancement=None if validated else "in progress" if bits % 3 == 1 else None,
            created_at=max(updated - (bits >> 8) % (90 * DAY), user.created_at),
            updated_at=updated,
        )
