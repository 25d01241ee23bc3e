"""Teams: the tries of projects_users, listed on their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from ..query import Column, Query
from ..world import World, render
from ..world.relations import TEAMS_FROM, ProjectsUser
from .base import Resource, Row, Test, by_id_or_slug, keys, number, numbers, parent_id, rules
from .people import user_finder

# A whole network has more teams than anybody lists; the unscoped list shows these people's.
_SHOWN_PEOPLE = 500


@dataclass(frozen=True)
class Team:
    """One try of one person."""

    id: int
    projects_user: ProjectsUser
    fields: Row


class _Teams:
    """Finds the teams of people, of a project, of a list of ids."""

    def __init__(self, world: World) -> None:
        self._world = world

    def of(self, row: ProjectsUser) -> Iterable[Team]:
        """Return the tries of one person on one project."""
        login = self._world.users[row.user_id].login
        session_id = self._world.projects[row.project_id]["project_sessions"][0]["id"]
        for n in range(row.teams):
            yield Team(row.team_id(n), row, render.team_fields(row, n, login, session_id))

    def rows(self, query: Query) -> Iterable[Team]:
        """Return the candidates of a query."""
        return [team for row in self._projects_users(query) for team in self.of(row)]

    def _projects_users(self, query: Query) -> Iterable[ProjectsUser]:
        world, relation = self._world, self._world.projects_users
        if "user_id" in query.plain:
            user = user_finder(world)(query.plain["user_id"])
            return relation.of_user(user) if user else []
        if "id" in query.filters:
            ids = ((team_id - TEAMS_FROM) // 2 for team_id in numbers(query.filters["id"]))
            found = (relation.find(row_id) for row_id in dict.fromkeys(ids))
            return [row for row in found if row is not None]
        if query.plain.get("project_id", "").isdecimal():
            return world.on_project(int(query.plain["project_id"]))
        people = islice(world.users.values(), _SHOWN_PEOPLE)
        return (row for user in people for row in relation.of_user(user))

    def find(self, text: str) -> Team | None:
        """Return one team by id."""
        row = self._world.projects_users.find((number(text) - TEAMS_FROM) // 2)
        found = self.of(row) if row is not None else ()
        return next((team for team in found if str(team.id) == text), None)


def teams(world: World) -> Resource:
    """/v2/teams and the lists of a user and a project."""
    table = _Teams(world)

    def of_user(text: str) -> Test:
        wanted = parent_id(user_finder(world), text)
        return lambda row: row.projects_user.user_id == wanted

    def of_project(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.projects), text)
        return lambda row: row.projects_user.project_id == wanted

    def in_cursus(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.cursus), text)
        return lambda row: row.projects_user.cursus_id == wanted

    return Resource(
        "teams",
        rules(_columns(), order=(("id", False),)),
        rows=table.rows,
        find=table.find,
        render=lambda row: orjson.dumps({**row.fields, "scale_teams": [], "teams_uploads": []}),
        parents={"user_id": of_user, "project_id": of_project, "cursus_id": in_cursus},
    )


def _columns() -> dict[str, Column]:
    plain = keys(
        project_id="int", final_mark="int", project_session_id="int", name="str", status="str",
        repo_url="str", repo_uuid="str", created_at="time", updated_at="time", locked_at="time",
        closed_at="time", terminating_at="time",
    )  # fmt: skip
    nested = {name: Column(column.kind, _of_fields(column)) for name, column in plain.items()}
    return {"id": Column("int", lambda row: row.id), **nested}


def _of_fields(column: Column) -> Callable[[Team], Any]:
    return lambda row: column.get(row.fields)
