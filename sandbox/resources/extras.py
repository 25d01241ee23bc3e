"""Titles, groups, roles, locations and evaluations, in small."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson

from ..clock import Clock
from ..query import Column, Query
from ..world import World, render
from ..world.values import millis
from .base import Resource, Row, Test, dumps, hidden, keys, number, parent_id, rules, when
from .people import user_finder

_NONE: tuple[str, ...] = ()


def titles(world: World) -> Resource:
    """/v2/titles: no filter, no range; one guide saw a sort answered."""
    return _plain(world, "titles", world.titles, keys(id="int", name="str"), sort=("id", "name"))


def titles_users(world: World) -> Resource:
    """/v2/titles_users: no sort, filter or range."""
    return _plain(
        world, "titles_users", world.titles_users, keys(id="int"),
        parents={"user_id": _of_user(world, "user_id"), "title_id": _equals("title_id")},
    )  # fmt: skip


def groups(world: World) -> Resource:
    """/v2/groups: no sort, filter or range."""

    def with_user(text: str) -> Test:
        wanted = parent_id(user_finder(world), text)
        rows = world.groups_users.values()
        mine = {row["group"]["id"] for row in rows if row["user_id"] == wanted}
        return lambda row: row["id"] in mine

    columns = keys(id="int", name="str")
    return _plain(world, "groups", world.groups, columns, parents={"user_id": with_user})


def groups_users(world: World) -> Resource:
    """/v2/groups_users: no sort, filter or range."""
    return _plain(
        world, "groups_users", world.groups_users, keys(id="int"),
        parents={
            "user_id": _of_user(world, "user_id"),
            "group_id": lambda text: lambda row: str(row["group"]["id"]) == text,
        },
    )  # fmt: skip


def roles(world: World) -> Resource:
    """/v2/roles: the list that ignores paging and sends no X-Total."""
    return Resource(
        "roles",
        rules(keys(id="int", name="str"), order=(("id", False),), ranges=_NONE),
        rows=lambda _: world.roles.values(),
        find=lambda text: world.roles.get(number(text)),
        render=dumps,
        paged=False,
    )


def locations(world: World) -> Resource:
    """/v2/locations: who sits where; open ones have no end. There is no /locations/:id."""
    columns = {
        **keys(id="int", begin_at="time", end_at="time", primary="bool", host="str",
               campus_id="int"),
        **hidden(user_id="int"),
    }  # fmt: skip

    def render_row(row: Row) -> bytes:
        user = world.users[row["_user_id"]]
        return orjson.dumps({**render.public(row), "user": orjson.Fragment(render.user(user))})

    is_open = when(lambda row: row["end_at"] is None)
    return Resource(
        "locations",
        rules(
            columns,
            order=(("begin_at", True), ("id", True)),
            special={
                "active": is_open,
                "inactive": when(lambda row: row["end_at"] is not None),
                "end": when(lambda row: row["end_at"] is not None),
                "future": when(lambda _: False),
            },
        ),
        rows=_known(world, world.locations),
        find=lambda _: None,
        render=render_row,
        parents={"user_id": _of_user(world, "_user_id"), "campus_id": _equals("campus_id")},
    )


def scale_teams(world: World, clock: Clock) -> Resource:
    """/v2/scale_teams: evaluations to come say "invisible" where a person would be."""
    columns = {
        **keys(
            id="int", scale_id="int", comment="str", created_at="time", updated_at="time",
            feedback_rating="int", final_mark="int", begin_at="time", filled_at="time",
        ),
        **hidden(user_id="int", team_id="int", project_id="int", campus_id="int"),
        "flag_id": Column("int", lambda row: row["flag"]["id"]),
        "cursus_id": Column("int", lambda _: 21),
    }  # fmt: skip
    open_columns = ("id", "user_id", "begin_at", "created_at", "updated_at", "scale_id", "team_id",
                    "comment", "feedback_rating", "final_mark", "flag_id", "filled_at")  # fmt: skip
    return Resource(
        "scale_teams",
        rules(
            columns,
            order=(("begin_at", True), ("id", True)),
            sort=open_columns,
            filters=(*open_columns, "campus_id", "cursus_id"),
            ranges=open_columns,
            special={
                "future": when(lambda row: millis(row["begin_at"]) > clock.world()),
                "filled": when(lambda row: row["filled_at"] is not None),
            },
        ),
        rows=_known(world, world.scale_teams),
        find=lambda text: world.scale_teams.get(number(text)),
        render=dumps,
        parents={
            "user_id": _of_user(world, "_user_id"),
            "corrector_id": _of_user(world, "_corrector_id"),
            "project_id": _equals("_project_id"),
        },
    )


def _plain(
    world: World,
    name: str,
    table: dict[int, Row],
    columns: dict[str, Column],
    sort: Iterable[str] = _NONE,
    parents: dict[str, Callable[[str], Test]] | None = None,
) -> Resource:
    return Resource(
        name,
        rules(columns, order=(("id", False),), sort=sort, filters=_NONE, ranges=_NONE),
        rows=_known(world, table),
        find=lambda text: table.get(number(text)),
        render=dumps,
        parents=parents or {},
    )


def _known(world: World, table: dict[int, Row]) -> Callable[[Query], Iterable[Row]]:
    """Build candidates without the rows of people who were deleted."""

    def rows(_: Query) -> Iterable[Row]:
        people = world.users
        return [
            row
            for row in table.values()
            if (owner := row.get("user_id", row.get("_user_id"))) is None or owner in people
        ]

    return rows


def _equals(name: str) -> Callable[[str], Test]:
    return lambda text: lambda row: str(row[name]) == text


def _of_user(world: World, name: str) -> Callable[[str], Test]:
    def build(text: str) -> Test:
        wanted = parent_id(user_finder(world), text)
        return lambda row: row[name] == wanted

    return build
