"""The rows that tie people to achievements and coalitions."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.world.people.users import User
from sandbox.world.relations.lazy import LazyRelation, strides
from sandbox.world.values import DAY, mix


@dataclass(slots=True)
class CoalitionsUser:
    """One person in one coalition."""

    id: int
    coalition_id: int
    user_id: int
    score: int
    rank: int
    created_at: int
    updated_at: int


@dataclass(slots=True)
class AchievementsUser:
    """One achievement of one person."""

    id: int
    achievement_id: int
    user_id: int
    nbr_of_success: int | None
    created_at: int
    updated_at: int


class AchievementsUsers(LazyRelation[AchievementsUser]):
    """achievements_users: every person goes through them in steps of their own."""

    def __init__(self, users: list[User], salt: int, average: int, achievements: list[int]) -> None:
        self._achievements = achievements
        self._strides = strides(len(achievements))
        super().__init__(users, salt, 500_000, average)

    def _count(self, user: User, average: int) -> int:
        return min(super()._count(user, average), len(self._achievements))

    def achievement_of(self, user: User, number: int) -> int:
        """Return the achievement of a person's nth row; nobody has one twice."""
        bits = mix(self._salt ^ 0x99, user.id)
        stride = self._strides[bits % len(self._strides)]
        return self._achievements[((bits >> 20) + number * stride) % len(self._achievements)]

    def _make(self, user: User, number: int, row_id: int, updated: int) -> AchievementsUser:
        bits = mix(self._salt ^ 0x4444, row_id)
        once = bits % 4 != 0
        return AchievementsUser(
            id=row_id,
            achievement_id=self.achievement_of(user, number),
            user_id=user.id,
            nbr_of_success=None if once else bits % 50,
            created_at=updated if once else max(updated - 9 * DAY, user.created_at),
            updated_at=updated,
        )
