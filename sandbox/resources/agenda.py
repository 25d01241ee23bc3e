"""Events, who signed up for them, exams."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson

from sandbox.api.query import Query
from sandbox.clock import Clock
from sandbox.resources.base import (
    Resource,
    Row,
    Test,
    absent,
    dumps,
    hidden,
    keys,
    number,
    numbers,
    parent_id,
    rules,
    slots,
    when,
)
from sandbox.resources.people import of_user, owned, user_finder
from sandbox.world import render
from sandbox.world.reference.campuses import nested
from sandbox.world.values import millis
from sandbox.world.world import World

_BEGUN = (("begin_at", True), ("id", True))


def _among(name: str) -> Callable[[str], Test]:
    return lambda text: lambda row: number(text) in row[name]


def _times(clock: Clock) -> dict[str, Callable[[Row, list[str]], bool]]:
    return {
        "future": when(lambda row: millis(row["begin_at"]) > clock.world()),
        "end": when(lambda row: millis(row["end_at"]) <= clock.world()),
    }


def events(world: World, clock: Clock) -> Resource:
    """/v2/events and the lists of a campus, a cursus there, a person."""
    columns = {
        **keys(
            id="int", name="str", description="str", location="str", kind="str",
            max_people="int", begin_at="time", end_at="time", created_at="time",
            updated_at="time", prohibition_of_cancellation="int",
        ),
        **hidden(difficulty="int", remote="bool"),
    }  # fmt: skip

    def of_person(text: str) -> Test:
        wanted = parent_id(user_finder(world), text)
        mine = {row.event_id for row in world.events_users.of_user(wanted)}
        return lambda row: row["id"] in mine

    return Resource(
        "events",
        rules(columns, order=_BEGUN, special=_times(clock)),
        rows=lambda _: world.events.values(),
        find=lambda text: world.events.get(number(text)),
        render=dumps,
        parents={
            "campus_id": _among("campus_ids"),
            "cursus_id": _among("cursus_ids"),
            "user_id": of_person,
        },
    )


def events_users(world: World) -> Resource:
    """/v2/events_users: its dates can be asked for and are not shown.

    `filter[campus_id]` is in the documentation and filters nothing.
    """
    table = world.events_users
    columns = slots(id="int", event_id="int", user_id="int", created_at="time", updated_at="time")

    def of_event(text: str) -> Test:
        wanted = parent_id(lambda name: world.events.get(number(name)), text)
        return lambda row: row.event_id == wanted

    def rows(query: Query) -> Iterable[Row]:
        if "event_id" in query.filters:
            wanted = set(numbers(query.filters["event_id"]))
            return [row for row in table if row.event_id in wanted]
        return owned(world, table)(query)

    def render_row(row: Row) -> bytes:
        return orjson.dumps(
            {
                "id": row.id,
                "event_id": row.event_id,
                "user_id": row.user_id,
                "user": orjson.Fragment(render.user(world.users[row.user_id])),
                "event": render.public(world.events[row.event_id]),
            }
        )

    return Resource(
        "events_users",
        rules(
            columns,
            order=(("created_at", True), ("id", True)),
            special={"campus_id": lambda row, texts: True},
        ),
        rows=rows,
        find=lambda text: table.find(number(text)),
        render=render_row,
        parents={"user_id": of_user(world), "event_id": of_event},
        everything=lambda: iter(table),
    )


def exams(world: World, clock: Clock) -> Resource:
    """/v2/exams: with a range, an exam comes once for each of its projects."""
    columns = {
        **keys(
            id="int", begin_at="time", end_at="time", location="str", ip_range="str",
            max_people="int", created_at="time", updated_at="time", name="str",
        ),
        **hidden(visible="bool", campus_id="int"),
        **absent("validated_at", "validator_id", "prohibition_of_cancellation"),
    }  # fmt: skip
    shown = ("id", "name", "slug", "difficulty", "parent", "children", "attachments",
             "created_at", "updated_at", "exam", "git_id", "repository")  # fmt: skip

    def render_row(row: Row) -> bytes:
        projects = (world.projects[key] for key in row["_project_ids"])
        return orjson.dumps(
            {
                **render.public(row),
                "campus": nested(world.campuses[row["_campus_id"]]),
                "cursus": [render.public(world.cursus[key]) for key in row["_cursus_ids"]],
                "projects": [{key: one[key] for key in shown} for one in projects],
            }
        )

    return Resource(
        "exams",
        rules(
            columns,
            order=_BEGUN,
            special={**_times(clock), "validated": when(lambda _: False)},
        ),
        rows=lambda _: world.exams.values(),
        find=lambda text: world.exams.get(number(text)),
        render=render_row,
        parents={
            "campus_id": lambda text: lambda row: str(row["_campus_id"]) == text,
            "cursus_id": _among("_cursus_ids"),
        },
        repeated=lambda row: len(row["_project_ids"]),
    )
