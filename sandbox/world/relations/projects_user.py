"""One row of projects_users, and the attempts that it began with."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.world.people.users import ANCHOR
from sandbox.world.relations.teams import Attempt, team_id


@dataclass(slots=True)
class ProjectsUser:
    """One person on one project.

    `teams` is how many attempts there were. `group` is the id of the founder's projects_user:
    whoever has it was in the same teams.
    """

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
    group: int = 0

    @property
    def current_team_id(self) -> int | None:
        """Return the id of the last attempt's team."""
        return team_id(self.group, self.teams - 1) if self.teams else None


def new_projects_user(user_id: int, project_id: int, stamp: int) -> ProjectsUser:
    """Make the row of somebody who begins a project."""
    return ProjectsUser(
        id=0,
        user_id=user_id,
        project_id=project_id,
        cursus_id=ANCHOR,
        occurrence=0,
        final_mark=None,
        status="in_progress",
        validated=None,
        teams=1,
        marked_at=None,
        marked=False,
        retriable_at=None,
        created_at=stamp,
        updated_at=stamp,
    )


def attempts_of(row: ProjectsUser) -> list[Attempt]:
    """Work out the attempts of a founder who has not changed: all but the last one failed."""
    share = (row.updated_at - row.created_at) // max(row.teams, 1)
    found = []
    for number in range(row.teams):
        born = row.created_at + number * share
        if number < row.teams - 1:
            found.append(Attempt("finished", 0, False, born, born + share, born + share))
            continue
        closed = None if row.marked_at is None else max(row.marked_at, born)
        found.append(
            Attempt(row.status, row.final_mark, row.validated, born, row.updated_at, closed)
        )
    return found
