"""projects_users: who is on which project, and the teams that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sandbox.world.people.users import ANCHOR, PISCINE, User
from sandbox.world.relations.lazy import LazyRelation, strides
from sandbox.world.relations.projects_user import ProjectsUser, attempts_of
from sandbox.world.relations.teams import LARGEST, NO_ATTEMPT, Attempt, Team
from sandbox.world.values import DAY, mix

_REMEMBERED = 60_000
# People who came at about the same time work together.
_GENERATION = 8 * LARGEST


class ProjectsUsers(LazyRelation[ProjectsUser]):
    """projects_users: some of the piscine, then the core in order, then electives.

    Up to five people of a campus work together: those of them who are on a project share its
    teams, as many as the project wants in a team. A team keeps the people who formed it.
    """

    def __init__(
        self,
        users: list[User],
        people: Mapping[int, User],
        salt: int,
        average: int,
        piscine: list[int],
        core: list[int],
        electives: list[int],
        team_sizes: dict[int, int],
    ) -> None:
        self._piscine, self._core, self._electives = piscine, core, electives
        self._team_sizes = team_sizes
        self._people = people
        self._owners: dict[int, User] = {}
        self._strides = strides(len(electives))
        size = len(electives)
        self._inverses = {step: pow(step, -1, size) if size > 1 else 0 for step in self._strides}
        self._places = {
            project_id: (number, position)
            for number, projects in enumerate((piscine, core, electives))
            for position, project_id in enumerate(projects)
        }
        self._most = len(piscine) + len(core) + len(electives)
        self._partners: list[list[int]] = []
        self._known: dict[int, tuple[int, ...]] = {}
        self._formed: dict[int, tuple[int, ...]] = {}
        self._attempts: dict[int, list[Attempt]] = {}
        super().__init__(users, salt, 1_000_000, average)
        self._partners_of = self._partner(users)

    def _partner(self, users: list[User]) -> list[int]:
        """Cut the people of each campus into groups of those who have come equally far."""
        campuses: dict[int | None, list[int]] = {}
        for index, user in enumerate(users):
            campuses.setdefault(user.campus_id, []).append(index)
        found = [0] * len(users)
        for people in campuses.values():
            for start in range(0, len(people), _GENERATION):
                near = people[start : start + _GENERATION]
                near.sort(key=self._counts.__getitem__)
                for first in range(0, len(near), LARGEST):
                    group = near[first : first + LARGEST]
                    for index in group:
                        found[index] = len(self._partners)
                    self._partners.append(group)
        return found

    def _count(self, user: User, average: int) -> int:
        return min(super()._count(user, average), self._most)

    def base_count(self, user: User) -> int:
        """Return on how many projects a person was at the epoch."""
        return self._counts[user.index]

    def base_of(self, user: User, bits: int) -> ProjectsUser:
        """Return one of a person's rows as it was at the epoch, with a team where there is one."""
        count = self._counts[user.index]
        for step in range(count):
            row = self.base_row(self.base_id(user.index, (bits + step) % count))
            if row.teams:
                break
        return row

    def project_of(self, user: User, number: int) -> int:
        """Return the project of a person's nth row; nobody is twice on one project."""
        if PISCINE in user.cursus:
            if number < len(self._piscine):
                return self._piscine[number]
            number -= len(self._piscine)
        if number < len(self._core):
            return self._core[number]
        number -= len(self._core)
        start, stride = self._path(user)
        return self._electives[(start + number * stride) % len(self._electives)]

    def _path(self, user: User) -> tuple[int, int]:
        """Return where a person starts among the electives, and in which steps they go on."""
        bits = mix(self._salt ^ 0x77, user.id)
        return bits >> 20, self._strides[bits % len(self._strides)]

    def number_of(self, user: User, project_id: int) -> int | None:
        """Return which of a person's rows is on a project: the inverse of `project_of`."""
        kind, position = self._places[project_id]
        before = len(self._piscine) if PISCINE in user.cursus else 0
        if kind == 0:
            number = position if before else -1
        elif kind == 1:
            number = before + position
        else:
            start, stride = self._path(user)
            number = (position - start) * self._inverses[stride] % len(self._electives)
            number += before + len(self._core)
        return number if 0 <= number < self._counts[user.index] else None

    def _make(self, user: User, number: int, row_id: int, updated: int) -> ProjectsUser:
        project_id = self.project_of(user, number)
        group = self._base_group(user.index, project_id, row_id)[0]
        bits = mix(self._salt ^ 0x3333, group)
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
            project_id=project_id,
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
            group=group,
        )

    # -- teams -----------------------------------------------------------------------------

    def _base_group(self, index: int, project_id: int, row_id: int) -> tuple[int, ...]:
        """Return the base rows that share the teams of one of them, the founder's first."""
        size = self._team_sizes[project_id]
        if size == 1:
            return (row_id,)
        if row_id not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            rows = [
                self.base_id(partner, number)
                for partner in self._partners[self._partners_of[index]]
                if (number := self.number_of(self._users[partner], project_id)) is not None
            ]
            for first in range(0, len(rows), size):
                group = tuple(rows[first : first + size])
                self._known.update(dict.fromkeys(group, group))
        return self._known[row_id]

    def _rows_of_group(self, group: int) -> tuple[int, ...]:
        """Return the ids of the rows that formed a group, deleted ones too."""
        if group in self._formed:
            return self._formed[group]
        if group in self._known:
            return self._known[group]
        if not self.is_base(group):
            return (group,)
        index = self._index(group)
        user = self._users[index]
        number = group - self.base_id(index, 0)
        return self._base_group(index, self.project_of(user, number), group)

    def owner(self, row_id: int) -> User:
        """Return whose row this is, or was."""
        return self._owners.get(row_id) or super().owner(row_id)

    def attempts(self, group: int) -> list[Attempt]:
        """Return the attempts of a group, the first one first."""
        known = self._attempts.get(group)
        if known is not None:
            return known
        founder = self.base_row(group) if self.is_base(group) else self._added.get(group)
        return [] if founder is None else attempts_of(founder)

    def members(self, group: int) -> list[ProjectsUser]:
        """Return the rows of a group that are still there, the founder's first."""
        return [row for row_id in self._rows_of_group(group) if (row := self.find(row_id))]

    def teams_of(self, row: ProjectsUser) -> list[Team]:
        """Return a person's teams on a project, as every member's row carries them."""
        if not row.teams:
            return []
        group = row.group
        rows = self.people(group)
        unchanged = row.id == group and group not in self._attempts
        attempts = attempts_of(row) if unchanged else self.attempts(group)
        return [Team(group, n, row.project_id, rows, one) for n, one in enumerate(attempts)]

    def team(self, group: int, number: int, project_id: int) -> Team | None:
        """Return one team of a group; None when nobody is left in it."""
        attempts = self.attempts(group)
        if not self.members(group) or number >= len(attempts):
            return None
        return Team(group, number, project_id, self.people(group), attempts[number])

    def people(self, group: int) -> list[tuple[User, int]]:
        """Return who formed a group, the founder first, and the ids of their rows."""
        return [(self.owner(row_id), row_id) for row_id in self._rows_of_group(group)]

    def change_teams(
        self,
        group: int,
        stamp: Callable[[], int],
        change: Callable[[list[Attempt], int], list[Attempt]],
    ) -> list[int]:
        """Change the attempts of a group, and with them the row of every member.

        Args:
            group: whose.
            stamp: gives each row a moment of its own.
            change: makes the new attempts of the old ones and a moment.

        Returns:
            The ids of the rows that changed.
        """
        rows = self.members(group)
        attempts = change(self.attempts(group), stamp())
        self._attempts[group] = attempts
        last = attempts[-1] if attempts else NO_ATTEMPT
        marked = last.closed_at is not None
        for row in rows:
            changed = replace(
                row,
                status=last.status,
                final_mark=last.final_mark,
                validated=last.validated,
                teams=len(attempts),
                occurrence=max(len(attempts) - 1, 0),
                marked=marked,
                marked_at=last.closed_at if marked else row.marked_at,
                updated_at=stamp(),
            )
            self.replace(changed)
        return [row.id for row in rows]

    def give_up(self, group: int) -> list[int]:
        """Finish a group's attempt without a mark; nothing tells when."""
        attempts = self.attempts(group)
        last = replace(attempts[-1], status="finished", final_mark=0, validated=False)
        self._attempts[group] = [*attempts[:-1], last]
        rows = self.members(group)
        for row in rows:
            self.replace(replace(row, status="finished", final_mark=0, validated=False))
        return [row.id for row in rows]

    def form(self, rows: list[ProjectsUser]) -> None:
        """Add rows of several people who share their teams; the first is the founder's."""
        for row in rows:
            self.add(row)
        founder = rows[0]
        self._formed[founder.id] = tuple(row.id for row in rows)
        self._attempts[founder.id] = attempts_of(founder)
        for row in rows:
            row.group = founder.id

    def leave(self, row: ProjectsUser) -> None:
        """Take one person out of a group, and their row away."""
        rest = tuple(key for key in self._rows_of_group(row.group) if key != row.id)
        self._attempts[row.group] = self.attempts(row.group)
        self._formed[row.group] = rest
        self.remove(row)

    def add(self, row: ProjectsUser) -> None:
        """Add a row with teams of its own."""
        super().add(row)
        self._owners[row.id] = self._people[row.user_id]
        row.group = row.id


_OPEN = (
    ("in_progress", 1),
    ("in_progress", 1),
    ("waiting_for_correction", 1),
    ("creating_group", 1),
    ("searching_a_group", 0),
    ("parent", 0),
)
