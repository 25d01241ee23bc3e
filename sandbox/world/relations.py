"""The rows that tie people to projects, achievements and coalitions."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from .lazy import LazyRelation
from .people import ANCHOR, PISCINE, User
from .values import DAY, mix

TEAMS_FROM = 4_000_000


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


@dataclass(slots=True)
class ProjectsUser:
    """One person on one project; `teams` is how many tries there were."""

    id: int
    user_id: int
    project_id: int
    cursus_id: int
    occurrence: int
    final_mark: int | None
    status: str
    validated: bool | None
    teams: int
    marked_at: int | None
    marked: bool
    retriable_at: int | None
    created_at: int
    updated_at: int

    def team_id(self, number: int) -> int:
        """Return the id of the person's nth team on this project."""
        return TEAMS_FROM + self.id * 2 + number


class ProjectsUsers(LazyRelation[ProjectsUser]):
    """projects_users: some of the piscine, then the core in order, then electives."""

    def __init__(
        self,
        users: list[User],
        salt: int,
        average: int,
        piscine: list[int],
        core: list[int],
        electives: list[int],
    ) -> None:
        self._piscine, self._core, self._electives = piscine, core, electives
        self._strides = _strides(len(electives))
        self._most = len(piscine) + len(core) + len(electives)
        super().__init__(users, salt, 1_000_000, average)

    def _count(self, user: User, average: int) -> int:
        return min(super()._count(user, average), self._most)

    def project_of(self, user: User, number: int) -> int:
        """Return the project of a person's nth row; nobody is twice on one project."""
        if PISCINE in user.cursus:
            if number < len(self._piscine):
                return self._piscine[number]
            number -= len(self._piscine)
        if number < len(self._core):
            return self._core[number]
        number -= len(self._core)
        bits = mix(self._salt ^ 0x77, user.id)
        stride = self._strides[bits % len(self._strides)]
        return self._electives[((bits >> 20) + number * stride) % len(self._electives)]

    def _make(self, user: User, number: int, row_id: int, updated: int) -> ProjectsUser:
        bits = mix(self._salt ^ 0x3333, row_id)
        piscine = PISCINE in user.cursus and number < len(self._piscine)
        open_row = bits % 100 < 12
        status, teams = "finished", 1 + (bits >> 8 & 15 == 0)
        mark: int | None = (bits >> 12) % 126
        validated: bool | None = (mark or 0) >= 50
        if bits >> 20 & 63 == 0:
            mark, validated = -42, False
        if open_row:
            status, teams = _OPEN[(bits >> 16) % len(_OPEN)]
            mark = validated = None
        created = max(updated - (bits >> 24) % (60 * DAY), user.created_at)
        return ProjectsUser(
            id=row_id,
            user_id=user.id,
            project_id=self.project_of(user, number),
            cursus_id=PISCINE if piscine else ANCHOR,
            occurrence=max(teams - 1, 0),
            final_mark=mark,
            status=status,
            validated=validated,
            teams=teams,
            marked_at=None if open_row else updated - 3512,
            marked=not open_row,
            retriable_at=None if open_row or bits & 1 else updated + DAY,
            created_at=created,
            updated_at=updated,
        )


_OPEN = (
    ("in_progress", 1),
    ("in_progress", 1),
    ("waiting_for_correction", 1),
    ("creating_group", 1),
    ("searching_a_group", 0),
    ("parent", 0),
)


class AchievementsUsers(LazyRelation[AchievementsUser]):
    """achievements_users: every person walks the achievements with a stride of their own."""

    def __init__(self, users: list[User], salt: int, average: int, achievements: list[int]) -> None:
        self._achievements = achievements
        self._strides = _strides(len(achievements))
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


def _strides(size: int) -> list[int]:
    """Return steps that visit every place of a ring of `size` before they repeat one."""
    return [step for step in range(1, max(size, 2)) if gcd(step, size) == 1][:97] or [1]
