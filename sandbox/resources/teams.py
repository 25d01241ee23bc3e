"""Teams: the attempts of projects_users, listed on their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from ..query import Column, Query
from ..world import World
from ..world.projects_users import ProjectsUser
from ..world.teams import Team, group_of, team_fields
from .base import Resource, Row, Test, by_id_or_slug, keys, number, numbers, parent_id, rules
from .people import user_finder

# A whole network has more teams than anybody lists; the unscoped list shows these people's.
_SHOWN_PEOPLE = 500


@dataclass(frozen=True)
class ListedTeam:
    """A team, whose row led to it, and what is shown."""

    team: Team
    projects_user: ProjectsUser
    fields: Row


class _Teams:
    """Finds the teams of people, of a project, of a list of ids."""

    def __init__(self, world: World) -> None:
        self._world = world

    def of(self, row: ProjectsUser) -> Iterable[ListedTeam]:
        """Return the attempts of one person on one project."""
        session_id = self._world.projects[row.project_id]["project_sessions"][0]["id"]
        for team in self._world.projects_users.teams_of(row):
            yield ListedTeam(team, row, team_fields(team, session_id))

    def rows(self, query: Query) -> Iterable[ListedTeam]:
        """Return the candidates of a query, each team once."""
        found = (team for row in self._projects_users(query) for team in self.of(row))
        return {team.fields["id"]: team for team in found}.values()

    def all(self) -> Iterator[ListedTeam]:
        """Yield every team once: with the first of its members who is left."""
        relation = self._world.projects_users
        for row in relation.all():
            if relation.members(row.group)[0].id == row.id:
                yield from self.of(row)

    def _projects_users(self, query: Query) -> Iterable[ProjectsUser]:
        world, relation = self._world, self._world.projects_users
        if "user_id" in query.plain:
            user = user_finder(world)(query.plain["user_id"])
            return relation.of_user(user) if user else []
        if "id" in query.filters:
            groups = [group_of(team_id)[0] for team_id in numbers(query.filters["id"])]
            found = (relation.members(group)[:1] for group in dict.fromkeys(groups))
            return [row for rows in found for row in rows]
        if query.plain.get("project_id", "").isdecimal():
            return world.on_project(int(query.plain["project_id"]))
        people = islice(world.users.values(), _SHOWN_PEOPLE)
        return (row for user in people for row in relation.of_user(user))

    def find(self, text: str) -> ListedTeam | None:
        """Return one team by id."""
        wanted = number(text)
        rows = self._world.projects_users.members(group_of(wanted)[0])[:1]
        found = (team for row in rows for team in self.of(row))
        return next((team for team in found if team.team.id == wanted), None)


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
        everything=table.all,
    )


def _columns() -> dict[str, Column]:
    plain = keys(
        project_id="int", final_mark="int", project_session_id="int", name="str", status="str",
        repo_url="str", repo_uuid="str", created_at="time", updated_at="time", locked_at="time",
        closed_at="time", terminating_at="time",
    )  # fmt: skip
    nested = {name: Column(column.kind, _of_fields(column)) for name, column in plain.items()}
    return {"id": Column("int", lambda row: row.team.id), **nested}


def _of_fields(column: Column) -> Callable[[ListedTeam], Any]:
    return lambda row: column.get(row.fields)
