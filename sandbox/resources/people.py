"""Users, and who is in which cursus and at which campus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import orjson

from sandbox.api.query import Column, Query
from sandbox.clock import Clock
from sandbox.resources.base import (
    Resource,
    Row,
    Test,
    absent,
    by_id_or_slug,
    number,
    numbers,
    parent_id,
    rules,
    slots,
    when,
)
from sandbox.world import render
from sandbox.world.people.users import User
from sandbox.world.reference.campuses import nested
from sandbox.world.values import iso
from sandbox.world.world import World

_BORN = (("created_at", True), ("id", True))
_OPEN = ("id", "login", "email", "created_at", "updated_at", "pool_year", "pool_month", "kind",
         "status")  # fmt: skip


def user_finder(world: World) -> Callable[[str], User | None]:
    """Build a finder of users by id or login; people who left the lists are not found."""

    def find(text: str) -> User | None:
        user = world.users.get(number(text)) or world.logins.get(text)
        return user if user is not None and user.listed else None

    return find


def users(world: World) -> Resource:
    """/v2/users and the lists of a campus, cursus, coalition, project, achievement, group."""
    columns = {
        **slots(
            id="int", login="str", email="str", created_at="time", updated_at="time",
            pool_year="str", pool_month="str", kind="str", first_name="str", last_name="str",
            usual_first_name="str", alumnized_at="time",
        ),
        "status": Column("str", lambda row: "ok" if row.active else "closed"),
        "last_seen_at": Column("time", attrgetter("last_seen")),
        "primary_campus_id": Column("int", attrgetter("campus_id")),
        "alumni?": Column("bool", attrgetter("alumni")),
        "staff?": Column("bool", attrgetter("staff")),
        **absent("image", "anonymized_at", "linked_user_id", "email_stop"),
    }  # fmt: skip

    def rows(query: Query) -> Iterable[User]:
        if "id" in query.filters:
            found = [world.users.get(key) for key in numbers(query.filters["id"])]
            return [user for user in found if user is not None and user.listed]
        if "primary_campus_id" in query.filters:
            places = numbers(query.filters["primary_campus_id"])
            return [user for place in places for user in world.based_at(place) if user.listed]
        return [user for user in world.users.values() if user.listed]

    return Resource(
        "users",
        rules(
            columns,
            order=(("id", True),),
            sort=(*_OPEN, "first_name", "last_name", "usual_first_name", "last_seen_at",
                  "alumnized_at", "image", "anonymized_at", "linked_user_id", "email_stop"),
            filters=(*_OPEN, "primary_campus_id", "first_name", "last_name", "alumni?", "staff?"),
            ranges=_OPEN,
            searchable=lambda row: f"{row.login} {row.email} {row.first_name} {row.last_name}",
        ),
        rows=rows,
        find=user_finder(world),
        render=render.user,
        show=lambda row: _detail(world, row),
        parents=_user_parents(world),
        everything=world.users.values,
    )  # fmt: skip


def _user_parents(world: World) -> dict[str, Callable[[str], Test]]:
    def among(ids: set[int]) -> Test:
        return lambda row: row.id in ids

    def in_cursus(text: str) -> Test:
        return among(world.members(parent_id(by_id_or_slug(world.cursus), text)))

    def at_campus(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.campuses, "_slug"), text)
        return among({row.user_id for row in world.campus_users if row.campus_id == wanted})

    def in_coalition(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.coalitions), text)
        return among({row.user_id for row in world.coalitions_users if row.coalition_id == wanted})

    def on_project(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.projects), text)
        return among({row.user_id for row in world.on_project(wanted)})

    def with_achievement(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.achievements, "_slug"), text)
        return among({row.user_id for row in world.with_achievement(wanted)})

    def in_group(text: str) -> Test:
        wanted = parent_id(lambda name: world.groups.get(number(name)), text)
        rows = world.groups_users.values()
        return among({row["user_id"] for row in rows if row["group"]["id"] == wanted})

    def with_title(text: str) -> Test:
        wanted = parent_id(lambda name: world.titles.get(number(name)), text)
        rows = world.titles_users.values()
        return among({row["user_id"] for row in rows if row["title_id"] == wanted})

    return {
        "cursus_id": in_cursus,
        "campus_id": at_campus,
        "coalition_id": in_coalition,
        "project_id": on_project,
        "achievement_id": with_achievement,
        "group_id": in_group,
        "title_id": with_title,
    }


def cursus_users(world: World, clock: Clock) -> Resource:
    """/v2/cursus_users: level moves without updated_at."""
    columns = slots(
        id="int", cursus_id="int", user_id="int", created_at="time", updated_at="time",
        end_at="time", begin_at="time", has_coalition="bool", blackholed_at="time", level="float",
    )  # fmt: skip

    def at_campus(row: Row, texts: list[str]) -> bool:
        return str(world.users[row.user_id].campus_id) in texts

    def over(row: Row) -> bool:
        return row.end_at is not None and row.end_at <= clock.world()

    def render_row(row: Row) -> bytes:
        course = render.public(world.cursus[row.cursus_id])
        user_json = render.user(world.users[row.user_id])
        return orjson.dumps(render.cursus_user_fields(row, user_json, course))

    def in_cursus(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.cursus), text)
        return lambda row: row.cursus_id == wanted

    return Resource(
        "cursus_users",
        rules(
            columns,
            order=_BORN,
            special={
                "active": when(lambda row: not over(row)),
                "campus_id": at_campus,
                "end": when(over),
                "future": when(lambda row: row.begin_at > clock.world()),
                "blackholed": when(
                    lambda row: row.blackholed_at is not None and row.blackholed_at <= clock.world()
                ),
            },
        ),
        rows=owned(world, world.cursus_users),
        find=lambda text: world.cursus_users.find(number(text)),
        render=render_row,
        parents={"cursus_id": in_cursus, "user_id": of_user(world)},
        everything=lambda: iter(world.cursus_users),
    )


def campus_users(world: World) -> Resource:
    """/v2/campus_users."""
    columns = slots(
        id="int", user_id="int", campus_id="int", is_primary="bool", created_at="time",
        updated_at="time",
    )  # fmt: skip
    return Resource(
        "campus_users",
        rules(columns, order=_BORN),
        rows=owned(world, world.campus_users),
        find=lambda text: world.campus_users.find(number(text)),
        render=lambda row: orjson.dumps(render.campus_user_fields(row)),
        parents={"user_id": of_user(world)},
        everything=lambda: iter(world.campus_users),
    )


def owned(world: World, table: Any) -> Callable[[Query], Iterable[Row]]:
    """Build the candidates of a kept table, narrowed by user where the query says so."""

    def rows(query: Query) -> Iterable[Row]:
        if "user_id" in query.filters:
            wanted = numbers(query.filters["user_id"])
            return [row for user_id in wanted for row in table.of_user(user_id)]
        if "user_id" in query.plain:
            user_id = parent_id(user_finder(world), query.plain["user_id"])
            return list(table.of_user(user_id))
        if "id" in query.filters:
            found = [table.find(row_id) for row_id in numbers(query.filters["id"])]
            return [row for row in found if row is not None]
        return table  # type: ignore[no-any-return]

    return rows


def of_user(world: World) -> Callable[[str], Test]:
    """Build the parent `user_id`, by id or login."""

    def build(text: str) -> Test:
        wanted = parent_id(user_finder(world), text)
        return lambda row: row.user_id == wanted

    return build


def _detail(world: World, user: User) -> bytes:
    """Render the big object of /v2/users/:id."""
    user_json = render.user(user)
    places = world.campus_users.of_user(user.id)
    titles_users = [row for row in world.titles_users.values() if row["user_id"] == user.id]
    groups = [row["group"] for row in world.groups_users.values() if row["user_id"] == user.id]
    earned = world.achievements_users.of_user(user)
    projects = sorted(
        world.projects_users.of_user(user), key=lambda row: (-row.updated_at, -row.id)
    )
    nine = ("id", "name", "description", "tier", "kind", "visible", "image", "nbr_of_success",
            "users_url")  # fmt: skip
    return orjson.dumps(
        {
            **render.user_fields(user),
            "groups": groups,
            "cursus_users": [
                render.cursus_user_fields(
                    row, user_json, render.public(world.cursus[row.cursus_id])
                )
                for row in world.cursus_users.of_user(user.id)
            ],
            "projects_users": [
                render.projects_user_fields(row, world.projects[row.project_id]) for row in projects
            ],
            "languages_users": [
                {
                    "id": user.id + 7,
                    "language_id": 2,
                    "user_id": user.id,
                    "position": 1,
                    "created_at": iso(user.created_at),
                }
            ],
            "achievements": [
                {key: world.achievements[row.achievement_id][key] for key in nine} for row in earned
            ],
            "titles": [dict(world.titles[row["title_id"]]) for row in titles_users],
            "titles_users": titles_users,
            "partnerships": [],
            "patroned": [],
            "patroning": [],
            "expertises_users": [
                {
                    "id": user.id + 11,
                    "expertise_id": 8,
                    "interested": False,
                    "value": 3,
                    "contact_me": False,
                    "created_at": iso(user.created_at),
                    "user_id": user.id,
                }
            ]
            if user.id % 5 == 0
            else [],
            "roles": [],
            # Unlisted campuses are shown whole here.
            "campus": [nested(world.campuses[row.campus_id]) for row in places],
            "campus_users": [render.campus_user_fields(row) for row in places],
        }
    )
