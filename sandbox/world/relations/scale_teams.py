"""scale_teams: one person evaluates the team of others."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.world.people.users import User
from sandbox.world.relations.lazy import LazyRelation
from sandbox.world.relations.projects_users import ProjectsUsers
from sandbox.world.relations.teams import team_id
from sandbox.world.values import DAY, EPOCH_MS, HOUR, mix

WINDOW = 300 * DAY
# name, positive, icon
FLAGS = (
    ("Ok", True, "check-4"),
    ("Outstanding project", True, "star-1"),
    ("Empty work", False, "iconf-hand-drag"),
    ("Incomplete work", False, "iconf-lab"),
    ("Cheat", False, "iconf-bomb"),
)


@dataclass(slots=True)
class ScaleTeam:
    """One evaluation of a team.

    `user_id` is the founder of the team, `corrector_id` None where nobody evaluates, `truant_id`
    who did not come. Without `filled_at` it is to come, or was never held.
    """

    id: int
    user_id: int
    corrector_id: int | None
    truant_id: int | None
    group: int
    number: int
    project_id: int
    cursus_id: int
    campus_id: int | None
    flag_id: int
    final_mark: int | None
    feedback_rating: int | None
    begin_at: int
    filled_at: int | None
    created_at: int
    updated_at: int

    @property
    def team_id(self) -> int:
        """Return which attempt is evaluated."""
        return team_id(self.group, self.number)


class ScaleTeams(LazyRelation[ScaleTeam]):
    """scale_teams of the last ten months; some are to come."""

    def __init__(
        self, users: list[User], salt: int, average: int, projects_users: ProjectsUsers
    ) -> None:
        self._projects_users = projects_users
        self._homes = {user.id: user.campus_id for user in users}
        self._neighbours: dict[int | None, list[int]] = {}
        self._indexes: dict[int | None, list[int]] = {}
        for user in users:
            self._neighbours.setdefault(user.campus_id, []).append(user.id)
            self._indexes.setdefault(user.campus_id, []).append(user.index)
        super().__init__(users, salt, 3_000, average)

    def _count(self, user: User, average: int) -> int:
        if user.last_seen < EPOCH_MS - WINDOW or not self._projects_users.base_count(user):
            return 0
        return super()._count(user, average)

    def _span(self, user: User) -> tuple[int, int]:
        recent = user.last_seen > EPOCH_MS - 20 * DAY
        start = max(user.created_at + DAY, EPOCH_MS - WINDOW)
        return start, EPOCH_MS - HOUR if recent else user.last_seen

    def corrector_of(self, user: User, row_id: int) -> int | None:
        """Return who evaluates: somebody else of the campus, or nobody."""
        bits = mix(self._salt ^ 0x88, row_id)
        near = self._neighbours[self._homes[user.id]]
        chosen = near[(bits >> 8) % len(near)]
        return None if bits % 40 == 0 or chosen == user.id else chosen

    def at_campus(self, campus_id: int) -> list[ScaleTeam]:
        """Return candidates for the evaluations of a campus."""
        near = [self._users[key] for key in self._indexes.get(campus_id, ())]
        rows = [row for user in near for row in self.of_user(user)]
        return list({row.id: row for row in (*rows, *self.overlaid())}.values())

    def booked(self) -> list[ScaleTeam]:
        """Return candidates for the evaluations to come."""
        ids = [row_id for _, row_id in self.ids_updated(EPOCH_MS - 2 * DAY, None)]
        rows = (self.find(row_id) for row_id in ids)
        return list({row.id: row for row in (*rows, *self.overlaid()) if row is not None}.values())

    def begun(self, low: int, high: int) -> list[ScaleTeam]:
        """Return candidates for the evaluations that begin between two moments."""
        # a base row is updated an hour after its beginning, unless it is only booked
        ids = [row_id for _, row_id in self.ids_updated(low + HOUR, high + HOUR)]
        rows = [row for row_id in ids if (row := self.find(row_id)) is not None]
        return list({row.id: row for row in (*rows, *self.booked())}.values())

    def corrected_by(self, user: User) -> list[ScaleTeam]:
        """Return the evaluations that a person gave or will give, to somebody of the campus."""
        near = [self._users[key] for key in self._indexes[self._homes.get(user.id)]]
        rows = [row for other in near for row in self.of_user(other) if row.corrector_id == user.id]
        return list({row.id: row for row in (*rows, *self.overlaid())}.values())

    def _make(self, user: User, number: int, row_id: int, updated: int) -> ScaleTeam:
        bits = mix(self._salt ^ 0x7777, row_id)
        on = self._projects_users.base_of(user, bits)
        corrector = self.corrector_of(user, row_id)
        booked = updated > EPOCH_MS - 2 * DAY and bits >> 10 & 1 == 0
        missed = not booked and bits >> 16 & 31 == 0
        held = not booked and not missed
        begin = updated - HOUR
        if booked:
            begin = EPOCH_MS + (1 + (bits >> 20) % 72) * HOUR
        flag = 1 + (bits >> 44) % len(FLAGS) if bits >> 36 & 7 == 0 else 1
        return ScaleTeam(
            id=row_id,
            user_id=user.id,
            corrector_id=corrector,
            truant_id=(corrector if bits >> 22 & 1 else user.id) if missed else None,
            group=on.group,
            number=(bits >> 50) % max(on.teams, 1),
            project_id=on.project_id,
            cursus_id=on.cursus_id,
            campus_id=self._homes[user.id],
            flag_id=flag,
            final_mark=(bits >> 24) % 126 if held else None,
            feedback_rating=(bits >> 32) % 6 if held and bits >> 35 & 3 else None,
            begin_at=begin,
            # filled in since 2024 only, and not by everybody
            filled_at=updated if held and bits >> 38 & 31 else None,
            created_at=updated if booked else updated - HOUR - (bits >> 26) % (3 * DAY),
            updated_at=updated,
        )
