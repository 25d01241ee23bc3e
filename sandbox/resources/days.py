"""Seats and milestones: locations, quests_users."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from sandbox.api.query import Query, bounds
from sandbox.clock import Clock
from sandbox.resources.base import Resource, Row, Test, number, parent_id, rules, slots, when
from sandbox.resources.lazy import candidates, quick
from sandbox.resources.people import of_user
from sandbox.world import render
from sandbox.world.values import iso, iso_or_none
from sandbox.world.world import World

_LONG_AGO, _FAR = 0, 1 << 52


def locations(world: World, clock: Clock) -> Resource:
    """/v2/locations: who sits where; open ones have no end.

    No date tells that a session changed, and there is no /locations/:id.
    """
    relation = world.locations
    columns = slots(
        id="int", user_id="int", begin_at="time", end_at="time", primary="bool", host="str",
        campus_id="int",
    )  # fmt: skip

    def at_campus(campus_id: int) -> Iterable[Row]:
        return relation.matching(
            lambda user, n: relation.campus_of(user, n) == campus_id,
            lambda row: row.campus_id == campus_id,
        )

    found = rules(
        columns,
        order=(("begin_at", True), ("id", True)),
        special={
            "active": when(lambda row: row.end_at is None),
            "inactive": when(lambda row: row.end_at is not None),
            "end": when(lambda row: row.end_at is not None),
            "future": when(lambda row: row.begin_at > clock.world()),
        },
    )
    narrowest = candidates(world, relation, found, {"campus_id": at_campus}, "begin_at")

    def rows(query: Query) -> Iterable[Row]:
        pinned = {"user_id", "id"} & query.filters.keys() or "user_id" in query.plain
        if not pinned and "begin_at" not in query.ranges:
            if "end_at" in query.ranges:
                return relation.ended(*bounds(query, found, "end_at"))
            if query.filters.get("active") == ["true"] or query.filters.get("end") == ["false"]:
                return relation.open_rows()
        return narrowest(query)

    def render_row(row: Row) -> bytes:
        return orjson.dumps(
            {
                "id": row.id,
                "begin_at": iso(row.begin_at),
                "end_at": iso_or_none(row.end_at),
                "primary": row.primary,
                "host": row.host,
                "campus_id": row.campus_id,
                "user": orjson.Fragment(render.user(world.users[row.user_id])),
            }
        )

    return Resource(
        "locations",
        found,
        rows=rows,
        find=lambda text: relation.find(number(text)),
        render=render_row,
        parents={
            "user_id": of_user(world),
            "campus_id": lambda text: lambda row: str(row.campus_id) == text,
        },
        quick=quick(relation, found, "begin_at", "begin_at"),
        everything=relation.all,
    )


def quests_users(world: World, clock: Clock) -> Resource:
    """/v2/quests_users: the quest comes nested, its own list is closed to the application."""
    relation = world.quests_users
    columns = slots(
        id="int", quest_id="int", user_id="int", end_at="time", validated_at="time", prct="float",
        advancement="str", created_at="time", updated_at="time",
    )  # fmt: skip

    def of_quest(text: str) -> Test:
        wanted = parent_id(lambda name: world.quests.get(number(name)), text)
        return lambda row: row.quest_id == wanted

    found = rules(
        columns,
        order=(("id", True),),
        special={
            "campus_id": lambda row, texts: str(world.users[row.user_id].campus_id) in texts,
            "validated": when(lambda row: row.validated_at is not None),
            "end": when(lambda row: row.end_at is not None and row.end_at <= clock.world()),
        },
    )

    def render_row(row: Row) -> bytes:
        return orjson.dumps(
            {
                "id": row.id,
                "end_at": iso_or_none(row.end_at),
                "quest_id": row.quest_id,
                "validated_at": iso_or_none(row.validated_at),
                "prct": row.prct,
                "advancement": row.advancement,
                "created_at": iso(row.created_at),
                "updated_at": iso(row.updated_at),
                "user": orjson.Fragment(render.user(world.users[row.user_id])),
                "quest": world.quests[row.quest_id],
            }
        )

    return Resource(
        "quests_users",
        found,
        rows=candidates(world, relation, found, {}),
        find=lambda text: relation.find(number(text)),
        render=render_row,
        parents={"user_id": of_user(world), "quest_id": of_quest},
        quick=quick(relation, found, "id"),
        everything=relation.all,
    )
