"""Teams: the attempts of the people who work on a project together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.world.people.users import User
from sandbox.world.values import API_URL, iso, iso_or_none, mix

Row = dict[str, Any]

LARGEST = 5
MOST_ATTEMPTS = 8
_FIRST_ID = 4_000_000
_FIRST_MEMBER = 50_000_000
# Most projects are for one, as most of the real ones are.
_SIZES = (1, 1, 1, 1, 2, 2, 3, 4, 5)


@dataclass(slots=True)
class Attempt:
    """What became of one team."""

    status: str
    final_mark: int | None
    validated: bool | None
    created_at: int
    updated_at: int
    closed_at: int | None


NO_ATTEMPT = Attempt("searching_a_group", None, None, 0, 0, None)


@dataclass(slots=True)
class Team:
    """One attempt of a group; `rows` are its people, the founder first, with their row's id."""

    group: int
    number: int
    project_id: int
    rows: Sequence[tuple[User, int]]
    attempt: Attempt

    @property
    def id(self) -> int:
        """Return the team's id."""
        return team_id(self.group, self.number)


def team_id(group: int, number: int) -> int:
    """Return the id of a group's nth attempt."""
    return _FIRST_ID + group * MOST_ATTEMPTS + number


def group_of(wanted: int) -> tuple[int, int]:
    """Return the group and the number of a team."""
    return divmod(wanted - _FIRST_ID, MOST_ATTEMPTS)


def member_id(row_id: int, number: int) -> int:
    """Return the id of somebody's membership in the nth team of their projects_user."""
    return _FIRST_MEMBER + row_id * MOST_ATTEMPTS + number


def row_of_member(wanted: int) -> int:
    """Return the projects_user of a membership."""
    return (wanted - _FIRST_MEMBER) // MOST_ATTEMPTS


def team_size(project_id: int) -> int:
    """Return how many people a project wants in a team."""
    return _SIZES[mix(8, project_id) % len(_SIZES)]


def team_fields(team: Team, session_id: int) -> Row:
    """Return a team as projects_users nest it."""
    attempt, login, key = team.attempt, team.rows[0][0].login, team.id
    finished = attempt.closed_at is not None
    uuid = f"intra-uuid-{mix(5, key):016x}-{key}-{login}"
    return {
        "id": key,
        "name": f"{login}'s group" + (f"-{team.number}" if team.number else ""),
        "url": f"{API_URL}/teams/{key}",
        "final_mark": attempt.final_mark,
        "project_id": team.project_id,
        "created_at": iso(attempt.created_at),
        "updated_at": iso(attempt.updated_at),
        "status": attempt.status,
        "terminating_at": None,
        "users": [
            {
                "id": user.id,
                "login": user.login,
                "url": f"{API_URL}/users/{user.login}",
                "leader": position == 0,
                "occurrence": team.number,
                "validated": position == 0 or attempt.status != "creating_group",
                "projects_user_id": row_id,
            }
            for position, (user, row_id) in enumerate(team.rows)
        ],
        "locked?": finished or attempt.status == "waiting_for_correction",
        "validated?": attempt.validated,
        "closed?": finished,
        "repo_url": None if team.number % 2 else f"git@vogsphere.example:{uuid}",
        "repo_uuid": uuid,
        "locked_at": iso(attempt.created_at) if finished else None,
        "closed_at": iso_or_none(attempt.closed_at),
        "project_session_id": session_id,
        "project_gitlab_path": None,
    }
