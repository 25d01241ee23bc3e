"""Teams and their members: the attempts of projects_users, listed on their own."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from sandbox.api.query import Column, Query, Rules, bounds
from sandbox.resources.base import (
    Resource,
    Row,
    Test,
    absent,
    by_id_or_slug,
    keys,
    number,
    numbers,
    parent_id,
    rules,
    slots,
    when,
)
from sandbox.resources.people import of_user, user_finder
from sandbox.world import render
from sandbox.world.people.users import User
from sandbox.world.relations.projects_user import ProjectsUser
from sandbox.world.relations.teams import Team, group_of, member_id, row_of_member, team_fields
from sandbox.world.values import iso
from sandbox.world.world import World

# The teams of a whole network, made at once, would fill the memory: a filter on anything but
# people, a project, ids or updates looks at these people's only. A whole list is ids.
_SHOWN_PEOPLE = 500


@dataclass(frozen=True)
class ListedTeam:
    """A team, whose row led to it, and what is shown."""

    team: Team
    projects_user: ProjectsUser
    fields: Row


@dataclass(frozen=True)
class TeamsUser:
    """One member of one team."""

    id: int
    team_id: int
    user_id: int
    leader: bool
    validated: bool
    occurrence: int
    created_at: int
    updated_at: int
    user: User
    team: Row


class _Teams:
    """Finds the teams of people, of a project, of a list of ids, and who is in them."""

    def __init__(self, world: World, found: Rules) -> None:
        self._world = world
        self._rules = found

    def of(self, row: ProjectsUser) -> list[ListedTeam]:
        """Return the attempts of one person on one project."""
        session_id = self._world.projects[row.project_id]["project_sessions"][0]["id"]
        teams = self._world.projects_users.teams_of(row)
        return [ListedTeam(team, row, team_fields(team, session_id)) for team in teams]

    def rows(self, query: Query) -> Iterable[ListedTeam]:
        """Return the candidates of a query, each team once."""
        found = (team for row in self._projects_users(query) for team in self.of(row))
        return {team.team.id: team for team in found}.values()

    def all(self) -> Iterator[ListedTeam]:
        """Yield every team once: with the first of its members who is left."""
        relation = self._world.projects_users
        for row in relation.all():
            if relation.members(row.group)[0].id == row.id:
                yield from self.of(row)

    def ids(self, query: Query) -> Sequence[int] | None:
        """Return the ids of a whole list."""
        if query.filters or query.ranges or query.sort not in ([], [("id", False)]):
            return None
        relation = self._world.projects_users
        found = {team.id for row in relation.all() for team in relation.teams_of(row)}
        return array("q", sorted(found))

    def find(self, text: str) -> ListedTeam | None:
        """Return one team by id."""
        wanted = number(text)
        rows = self._world.projects_users.members(group_of(wanted)[0])[:1]
        found = (team for row in rows for team in self.of(row))
        return next((team for team in found if team.team.id == wanted), None)

    def _projects_users(self, query: Query) -> Iterable[ProjectsUser]:
        world, relation = self._world, self._world.projects_users
        if "user_id" in query.plain:
            user = user_finder(world)(query.plain["user_id"])
            return relation.of_user(user) if user else []
        wanted = query.filters.get("id") or query.filters.get("team_id")
        if query.plain.get("team_id"):
            wanted = [query.plain["team_id"]]
        if wanted:
            groups = dict.fromkeys(group_of(team_id)[0] for team_id in numbers(wanted))
            return [row for group in groups for row in relation.members(group)]
        if "user_id" in query.filters:
            people = [world.users.get(key) for key in numbers(query.filters["user_id"])]
            return [row for user in people if user for row in relation.of_user(user)]
        if query.plain.get("project_id", "").isdecimal():
            return world.on_project(int(query.plain["project_id"]))
        if "updated_at" in query.ranges:
            # a team is updated when its founder is, or earlier
            low, _ = bounds(query, self._rules, "updated_at")
            rows = (relation.find(row_id) for _, row_id in relation.ids_updated(low, None))
            return [row for row in rows if row is not None]
        some = islice(world.users.values(), _SHOWN_PEOPLE)
        return (row for user in some for row in relation.of_user(user))

    # -- members ---------------------------------------------------------------------------

    def members_of(self, row: ProjectsUser) -> list[TeamsUser]:
        """Return a person's memberships on one project."""
        found = []
        for listed in self.of(row):
            attempt, fields = listed.team.attempt, listed.fields
            mine = next(one for one in fields["users"] if one["projects_user_id"] == row.id)
            found.append(
                TeamsUser(
                    id=member_id(row.id, listed.team.number),
                    team_id=listed.team.id,
                    user_id=row.user_id,
                    leader=mine["leader"],
                    validated=mine["validated"],
                    occurrence=listed.team.number,
                    created_at=attempt.created_at,
                    updated_at=attempt.updated_at,
                    user=self._world.users[row.user_id],
                    team=fields,
                )
            )
        return found

    def members(self, query: Query) -> Iterable[TeamsUser]:
        """Return the candidates of a query."""
        rows = {row.id: row for row in self._projects_users(query)}.values()
        return (member for row in rows for member in self.members_of(row))

    def every_member(self) -> Iterator[TeamsUser]:
        """Yield everybody in every team."""
        for row in self._world.projects_users.all():
            yield from self.members_of(row)

    def member_ids(self, query: Query) -> Sequence[int] | None:
        """Return the ids of a whole list, the latest first."""
        if query.filters or query.ranges or query.sort not in ([], [("id", True)]):
            return None
        rows = self._world.projects_users.all()
        ids = (member_id(row.id, attempt) for row in rows for attempt in range(row.teams))
        return array("q", sorted(ids, reverse=True))

    def find_member(self, text: str) -> TeamsUser | None:
        """Return one membership by id."""
        wanted = number(text)
        row = self._world.projects_users.find(row_of_member(wanted))
        found = self.members_of(row) if row is not None else []
        return next((member for member in found if member.id == wanted), None)


def teams(world: World) -> Resource:
    """/v2/teams and the lists of a user and a project."""

    def of_cursus(row: ListedTeam, texts: list[str]) -> bool:
        return str(row.projects_user.cursus_id) in texts

    found = rules(
        _columns(),
        order=(("id", False),),
        special={
            "locked": when(lambda row: row.fields["locked?"]),
            "closed": when(lambda row: row.fields["closed?"]),
            "with_mark": when(lambda row: row.fields["final_mark"] is not None),
            # no team here has a deadline
            "deadline": when(lambda _: False),
            "terminating": when(lambda row: row.fields["terminating_at"] is not None),
            "cursus": of_cursus,
            "active_cursus": of_cursus,
            "campus": lambda row, texts: any(
                str(user.campus_id) in texts for user, _ in row.team.rows
            ),
            "primary_campus": lambda row, texts: (
                str(world.users[row.projects_user.user_id].campus_id) in texts
            ),
        },
    )
    table = _Teams(world, found)

    def by_user(text: str) -> Test:
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
        found,
        rows=table.rows,
        find=table.find,
        render=lambda row: orjson.dumps({**row.fields, "scale_teams": [], "teams_uploads": []}),
        parents={"user_id": by_user, "project_id": of_project, "cursus_id": in_cursus},
        quick=table.ids,
        everything=table.all,
    )


def teams_users(world: World) -> Resource:
    """/v2/teams_users: one row for each member of a team who is left."""
    columns = slots(
        id="int", team_id="int", user_id="int", leader="bool", validated="bool",
        created_at="time", updated_at="time", occurrence="int",
    )  # fmt: skip
    found = rules(columns, order=(("id", True),))
    table = _Teams(world, found)

    def render_row(row: TeamsUser) -> bytes:
        return orjson.dumps(
            {
                "id": row.id,
                "team_id": row.team_id,
                "user_id": row.user_id,
                "created_at": iso(row.created_at),
                "validated": row.validated,
                "leader": row.leader,
                "occurrence": row.occurrence,
                "team": row.team,
                "user": orjson.Fragment(render.user(row.user)),
            }
        )

    return Resource(
        "teams_users",
        found,
        rows=table.members,
        find=table.find_member,
        render=render_row,
        parents={
            "user_id": of_user(world),
            "team_id": lambda text: lambda row: str(row.team_id) == text,
        },
        quick=table.member_ids,
        everything=table.every_member,
    )


def _columns() -> dict[str, Column]:
    plain = keys(
        project_id="int", final_mark="int", project_session_id="int", name="str", status="str",
        repo_url="str", repo_uuid="str", created_at="time", updated_at="time", locked_at="time",
        closed_at="time", terminating_at="time",
    )  # fmt: skip
    nested = {name: Column(column.kind, _of_fields(column)) for name, column in plain.items()}
    return {"id": Column("int", lambda row: row.team.id), **nested, **absent("deadline_at")}


def _of_fields(column: Column) -> Callable[[ListedTeam], Any]:
    return lambda row: column.get(row.fields)
