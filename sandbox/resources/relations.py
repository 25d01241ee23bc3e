"""The big relations: projects_users, achievements_users, coalitions_users."""

from __future__ import annotations

from operator import attrgetter

import orjson

from sandbox.api.query import Column
from sandbox.clock import Clock
from sandbox.resources.base import (
    Resource,
    Row,
    Test,
    by_id_or_slug,
    number,
    parent_id,
    rules,
    slots,
    when,
)
from sandbox.resources.lazy import candidates, quick
from sandbox.resources.people import of_user, owned
from sandbox.world import render
from sandbox.world.relations.teams import team_fields
from sandbox.world.world import World


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
        rows=candidates(world, relation, found, {"project_id": world.on_project}),
        find=lambda text: relation.find(number(text)),
        render=render_row,
        parents={"project_id": on_project, "user_id": of_user(world)},
        quick=quick(relation, found, "updated_at"),
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
        rows=candidates(world, relation, found, {"achievement_id": world.with_achievement}),
        find=lambda text: relation.find(number(text)),
        render=render_row,
        parents={"achievement_id": for_achievement},
        quick=quick(relation, found, "id"),
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
