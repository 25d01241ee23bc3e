"""Teams form, part, try again and give up."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.world.changes.action import Action, Report
from sandbox.world.people.users import ANCHOR
from sandbox.world.relations.projects_user import ProjectsUser, new_projects_user
from sandbox.world.relations.teams import MOST_ATTEMPTS, Attempt


class Groups(Action):
    """Teams form, part, try again and give up."""

    def actions(self) -> dict[str, Callable[[int], Report]]:
        """Return what can happen, by name."""
        return {
            "form_teams": self._form_teams,
            "leave_teams": self._leave_teams,
            "retry_teams": self._retry_teams,
            "give_up_teams": self._give_up_teams,
        }

    def _form_teams(self, count: int) -> Report:
        """Let two to five students of a campus start a project together."""
        world, report = self._world, Report()
        for user in self._students(count):
            near = [one for one in world.based_at(user.campus_id or 0) if world.is_kept(one)]
            mates = self._some([one for one in near if one.id != user.id], 4)
            group = [user, *mates[: self._random.randrange(1, 5)]]
            taken = {row.project_id for one in group for row in world.projects_users.of_user(one)}
            free = [
                key
                for key, row in world.projects.items()
                if ANCHOR in row["cursus"] and row["slug"] is not None and key not in taken
            ]
            if not free:
                continue
            project_id = self._random.choice(free)
            rows = [new_projects_user(one.id, project_id, self._clock.stamp()) for one in group]
            world.projects_users.form(rows)
            report.setdefault("projects_users", []).extend(row.id for row in rows)
        return report

    def _groups(self, count: int, fits: Callable[[ProjectsUser], bool]) -> list[ProjectsUser]:
        """Choose a row each of groups that fit and whose members are all students."""
        world, found = self._world, dict[int, ProjectsUser]()
        while len(found) < count and (users := self._students(1)):
            mine = [
                row
                for row in world.projects_users.of_user(users[0])
                if row.teams and row.group not in found and fits(row)
            ]
            self._random.shuffle(mine)
            for row in mine:
                members = world.projects_users.members(row.group)
                if all(world.is_kept(world.users[one.user_id]) for one in members):
                    found[row.group] = row
                    break
        return list(found.values())

    def _leave_teams(self, count: int) -> Report:
        """Let one member of a team go: the team is deleted, and so is the leaver's row."""
        relation = self._world.projects_users
        report: Report = {"projects_users": []}
        rows = self._groups(
            count, lambda row: not row.marked and len(relation.members(row.group)) > 1
        )
        for row in rows:
            relation.leave(row)
            changed = relation.change_teams(
                row.group, self._clock.stamp, lambda attempts, _: attempts[:-1]
            )
            report["projects_users"] += [row.id, *changed]
        return report

    def _retry_teams(self, count: int) -> Report:
        """Let groups that are through try again."""
        relation = self._world.projects_users
        ids: list[int] = []
        for row in self._groups(count, lambda row: row.marked and row.teams < MOST_ATTEMPTS):
            ids += relation.change_teams(
                row.group,
                self._clock.stamp,
                lambda attempts, stamp: [
                    *attempts,
                    Attempt("in_progress", None, None, stamp, stamp, None),
                ],
            )
        return {"projects_users": ids}

    def _give_up_teams(self, count: int) -> Report:
        """Let groups give up: the status changes and no updated_at moves."""
        relation = self._world.projects_users
        ids: list[int] = []
        for row in self._groups(count, lambda row: not row.marked):
            ids += relation.give_up(row.group)
        return {"projects_users": ids}
