"""The big relations: projects_users, achievements_users, coalitions_users."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

import orjson

from ..clock import Clock
from ..query import Column, Query, Rules, bounds
from ..world import World, render
from ..world.lazy import LazyRelation
from ..world.teams import team_fields
from .base import (
    Resource,
    Row,
    Test,
    by_id_or_slug,
    number,
    numbers,
    parent_id,
    rules,
    slots,
    when,
)
from .people import of_user, owned, user_finder


def projects_users(world: World, clock: Clock) -> Resource:
    """/v2/projects_users: latest update first; filters are called `campus` and `cursus`."""
    relation = world.projects_users
    columns = slots(
        id="int", project_id="int", user_id="int", created_at="time", updated_at="time",
        occurrence="int", final_mark="int", retriable_at="time", marked_at="time", status="str",
    )  # fmt: skip

    def at_campus(row: Row, texts: list[str]) -> bool:
        return any(str(one.campus_id) in texts for one in world.campus_users.of_user(row.user_id))

    def in_cursus(row: Row, texts: list[str]) -> bool:
        # The person is in the cursus, not the project: other cursus' rows come along.
        return any(str(one.cursus_id) in texts for one in world.cursus_users.of_user(row.user_id))

    def render_row(row: Row) -> bytes:
        user = world.users[row.user_id]
        project = world.projects[row.project_id]
        session_id = project["project_sessions"][0]["id"]
        return orjson.dumps(
            {
                **render.projects_user_fields(row, project),
                "user": orjson.Fragment(render.user(user)),
                "teams": [team_fields(team, session_id) for team in relation.teams_of(row)],
            }
        )

    def on_project(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.projects), text)
        return lambda row: row.project_id == wanted

    found = rules(
        columns,
        order=(("updated_at", True), ("id", True)),
        special={
            "campus": at_campus,
            "cursus": in_cursus,
            "retriable": when(
                lambda row: row.retriable_at is not None and row.retriable_at <= clock.world()
            ),
            "marked": when(lambda row: row.marked),
        },
    )
    return Resource(
        "projects_users",
        found,
        rows=_candidates(world, relation, found, "project_id", world.on_project),
        find=lambda text: relation.find(number(text)),
        render=render_row,
        parents={"project_id": on_project, "user_id": of_user(world)},
        quick=_quick(relation, found, "updated_at"),
        everything=relation.all,
    )


def achievements_users(world: World) -> Resource:
    """/v2/achievements_users: latest id first."""
    columns = {
        **slots(
            id="int", user_id="int", achievement_id="int", nbr_of_success="int",
            created_at="time", updated_at="time",
        ),
        "rewarded": Column("bool", lambda _: False),
    }  # fmt: skip

    def render_row(row: Row) -> bytes:
        login = world.users[row.user_id].login
        return orjson.dumps(render.achievements_user_fields(row, login))

    def for_achievement(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.achievements, "_slug"), text)
        return lambda row: row.achievement_id == wanted

    found = rules(columns, order=(("id", True),))
    relation = world.achievements_users
    return Resource(
        "achievements_users",
        found,
        rows=_candidates(world, relation, found, "achievement_id", world.with_achievement),
        find=lambda text: relation.find(number(text)),
        render=render_row,
        parents={"achievement_id": for_achievement},
        quick=_quick(relation, found, "id"),
        everything=relation.all,
    )


def coalitions_users(world: World) -> Resource:
    """/v2/coalitions_users: one in ten belongs to a coalition that is gone."""
    columns = {
        **slots(id="int", coalition_id="int", user_id="int", created_at="time", updated_at="time"),
        "this_year_score": Column("int", attrgetter("score")),
        "this_year_score_updated_at": Column("time", attrgetter("updated_at")),
    }

    def of_coalition(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.coalitions), text)
        return lambda row: row.coalition_id == wanted

    return Resource(
        "coalitions_users",
        rules(
            columns,
            order=(("created_at", True), ("id", True)),
            special={"this_year_score_updated": when(lambda _: True)},
        ),
        rows=owned(world, world.coalitions_users),
        find=lambda text: world.coalitions_users.find(number(text)),
        render=lambda row: orjson.dumps(render.coalitions_user_fields(row)),
        parents={"coalition_id": of_coalition, "user_id": of_user(world)},
        everything=lambda: iter(world.coalitions_users),
    )


def _candidates(
    world: World,
    relation: LazyRelation[Any],
    found: Rules,
    other: str,
    of_other: Callable[[int], Iterable[Row]],
) -> Callable[[Query], Iterable[Row]]:
    """Build the narrowest candidates: a few people, a few ids, one parent, a range of updates."""

    def rows(query: Query) -> Iterable[Row]:
        if "user_id" in query.filters:
            people = [world.users.get(key) for key in numbers(query.filters["user_id"])]
            return [row for user in people if user for row in relation.of_user(user)]
        if "user_id" in query.plain:
            user = user_finder(world)(query.plain["user_id"])
            return relation.of_user(user) if user else []
        if "id" in query.filters:
            known = [relation.find(row_id) for row_id in numbers(query.filters["id"])]
            return [row for row in known if row is not None]
        if other in query.filters or query.plain.get(other, "").isdecimal():
            wanted = query.filters.get(other) or [query.plain[other]]
            return [row for key in numbers(wanted) for row in of_other(key)]
        if "updated_at" in query.ranges:
            low, high = bounds(query, found, "updated_at")
            return [relation.find(row_id) for _, row_id in relation.ids_updated(low, high)]
        return relation.all()

    return rows


def _quick(
    relation: LazyRelation[Any], found: Rules, default: str
) -> Callable[[Query], Sequence[int] | None]:
    """Build the shortcut for whole lists and updated_at ranges: ids only, rows on request."""

    def quick(query: Query) -> Sequence[int] | None:
        if query.filters or query.ranges.keys() - {"updated_at"} or len(query.sort) > 1:
            return None
        column, descending = query.sort[0] if query.sort else (default, True)
        if column not in ("id", "updated_at"):
            return None
        low, high = None, None
        if "updated_at" in query.ranges:
            low, high = bounds(query, found, "updated_at")
        pairs = relation.ids_updated(low, high)
        if column == "id":
            return array("q", sorted((row_id for _, row_id in pairs), reverse=descending))
        pairs.sort(reverse=descending)
        return array("q", (row_id for _, row_id in pairs))

    return quick
