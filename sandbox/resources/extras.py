"""Titles, groups and roles."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sandbox.api.query import Column, Query
from sandbox.resources.base import Resource, Row, Test, dumps, keys, number, parent_id, rules
from sandbox.resources.people import user_finder
from sandbox.world.world import World

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
