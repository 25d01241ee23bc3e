"""Campus, cursus, projects, sessions, achievements, coalitions, blocs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from sandbox.api.query import Column
from sandbox.clock import Clock
from sandbox.resources.base import (
    Resource,
    Row,
    Test,
    absent,
    by_id_or_slug,
    dumps,
    hidden,
    keys,
    number,
    parent_id,
    rules,
    when,
)
from sandbox.world import render
from sandbox.world.people.users import PISCINE
from sandbox.world.reference.campuses import nested
from sandbox.world.values import millis
from sandbox.world.world import World

_DESC = (("id", True),)
_BORN = (("created_at", True), ("id", True))


def campus(world: World) -> Resource:
    """/v2/campus: the listed ones only; a closed campus is a 404."""
    columns = {
        **keys(
            id="int", name="str", time_zone="str", vogsphere_id="int", address="str", zip="str",
            city="str", country="str", website="str", facebook="str", twitter="str",
            email_extension="str", active="bool", default_hidden_phone="bool", public="bool",
        ),
        **hidden(created_at="time", updated_at="time", slug="str"),
        "language_id": Column("int", lambda row: row["language"]["id"]),
        "endpoint_id": Column("int", lambda row: (row["endpoint"] or {}).get("id")),
        "display_name": Column("str", lambda row: row["name"]),
        **absent(
            "main_email", "content_email", "time_of_community_service_started", "companies_mail",
            "pro_needs_validation", "logo", "help_url", "open_to_job_offers", "tig_email",
            "minimum_slot_duration", "alumni_system",
            "manual_alumnization_before_first_internship",
        ),
    }  # fmt: skip

    def find(text: str) -> Row | None:
        row = by_id_or_slug(world.campuses, "_slug")(text)
        return row if row is not None and row["_listed"] else None

    return Resource(
        "campus",
        rules(columns, order=_DESC),
        rows=lambda _: [row for row in world.campuses.values() if row["_listed"]],
        find=find,
        render=dumps,
        everything=world.campuses.values,
    )


def cursus(world: World) -> Resource:
    """/v2/cursus."""
    columns = {
        **keys(id="int", name="str", created_at="time", slug="str", kind="str"),
        **hidden(updated_at="time", restricted="bool", is_subscriptable="bool"),
    }
    return Resource(
        "cursus",
        rules(columns, order=_DESC),
        rows=lambda _: world.cursus.values(),
        find=by_id_or_slug(world.cursus),
        render=dumps,
    )


def projects(world: World) -> Resource:
    """/v2/projects and /v2/cursus/:id/projects, heavy with nested campuses and sessions."""
    columns = {
        **keys(
            id="int", name="str", created_at="time", updated_at="time", exam="bool", slug="str",
            repository="str", git_id="int", difficulty="int",
        ),
        "parent_id": Column("int", lambda row: row["parent"]["id"] if row["parent"] else None),
        "position": Column("int", lambda row: row["_position"]),
        "visible": Column("bool", lambda _: True),
        "inherited_team": Column("bool", lambda _: False),
        "has_git": Column("bool", lambda row: row["git_id"] is not None),
        "has_mark": Column("bool", lambda _: True),
        **absent("description", "cached_repository_path"),
    }  # fmt: skip
    everywhere = ("id", "name", "created_at", "updated_at", "visible", "exam", "parent_id", "slug",
                  "inherited_team", "position", "has_git", "has_mark")  # fmt: skip
    campus_json: dict[int, bytes] = {}

    def place(campus_id: int) -> orjson.Fragment:
        row = world.campuses[campus_id]
        if row.get("_json_version") != world.version or campus_id not in campus_json:
            campus_json[campus_id] = orjson.dumps(nested(row))
            row["_json_version"] = world.version
        return orjson.Fragment(campus_json[campus_id])

    def render_project(row: Row) -> bytes:
        shown = render.public(row)
        shown["cursus"] = [render.public(world.cursus[key]) for key in row["cursus"]]
        shown["campus"] = [place(key) for key in row["campus"]]
        shown["project_sessions"] = [render.public(one) for one in row["project_sessions"]]
        return orjson.dumps(shown)

    def in_cursus(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.cursus), text)
        return lambda row: wanted in row["cursus"]

    return Resource(
        "projects",
        rules(
            columns,
            order=(("position", False), ("id", True)),
            sort=(*everywhere, "repository", "git_id", "cached_repository_path"),
            filters=(*everywhere, "description", "difficulty"),
            ranges=(*everywhere, "description", "difficulty"),
        ),
        rows=lambda _: world.projects.values(),
        find=by_id_or_slug(world.projects),
        render=render_project,
        parents={"cursus_id": in_cursus},
    )


def project_sessions(world: World, clock: Clock) -> Resource:
    """/v2/project_sessions: what projects nest, plus the project, campus and cursus whole."""
    columns = keys(
        id="int", solo="bool", begin_at="time", end_at="time", estimate_time="str",
        difficulty="int", duration_days="int", terminating_after="int", project_id="int",
        campus_id="int", cursus_id="int", created_at="time", updated_at="time", max_people="int",
        is_subscriptable="bool", team_behaviour="str", commit="str", description="str",
    )  # fmt: skip

    def find(text: str) -> Row | None:
        wanted = number(text)
        return next((row for row in world.sessions() if row["id"] == wanted), None)

    def render_session(row: Row) -> bytes:
        project = world.projects[row["project_id"]]
        home = world.campuses.get(row["campus_id"] or 0)
        course = world.cursus.get(row["cursus_id"] or 0)
        names = ("id", "name", "slug", "difficulty", "created_at", "updated_at", "exam", "git_id",
                 "repository")  # fmt: skip
        short = {key: project[key] for key in names}
        return orjson.dumps(
            {
                **render.public(row),
                "project": {**short, "parent": project["parent"], "children": []},
                "campus": None if home is None else nested(home),
                "cursus": None if course is None else render.public(course),
                "evaluations": [{"id": row["id"] % 90 + 1, "kind": "scale"}],
                "project_sessions_rules": [],
            }
        )

    def of_project(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.projects), text)
        return lambda row: row["project_id"] == wanted

    def before_now(name: str, later: bool) -> Test:
        def test(row: Row) -> bool:
            text = row[name]
            return text is not None and (millis(text) > clock.world()) == later

        return test

    return Resource(
        "project_sessions",
        rules(
            columns,
            order=_DESC,
            special={
                "future": when(before_now("begin_at", True)),
                "end": when(before_now("end_at", False)),
            },
        ),
        rows=lambda _: world.sessions(),
        find=find,
        render=render_session,
        parents={"project_id": of_project},
    )


def achievements(world: World) -> Resource:
    """/v2/achievements: campus names, no ids, no timestamps."""
    columns = {
        **keys(
            id="int", name="str", kind="str", tier="str", description="str", visible="bool",
            nbr_of_success="int", image="str",
        ),
        **hidden(created_at="time", updated_at="time", slug="str"),
        "parent_id": Column("int", lambda row: row["parent"]["id"] if row["parent"] else None),
        "title_id": Column("int", lambda row: row["title"]["id"] if row["title"] else None),
        **absent("internal_name", "pedago", "position", "reward"),
    }  # fmt: skip

    def render_achievement(row: Row) -> bytes:
        names = [world.campuses[key]["name"] for key in row["campus"]]
        return orjson.dumps({**render.public(row), "campus": names})

    def at_campus(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.campuses, "_slug"), text)
        return lambda row: wanted in row["campus"]

    def in_cursus(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.cursus), text)
        return lambda row: wanted != PISCINE or row["id"] % 3 == 0

    def of_title(text: str) -> Test:
        wanted = parent_id(lambda name: world.titles.get(number(name)), text)
        return lambda row: row["title"] is not None and row["title"]["id"] == wanted

    return Resource(
        "achievements",
        rules(columns, order=(("id", False),)),
        rows=lambda _: world.achievements.values(),
        find=by_id_or_slug(world.achievements, "_slug"),
        render=render_achievement,
        parents={"campus_id": at_campus, "cursus_id": in_cursus, "title_id": of_title},
    )


def coalitions(world: World, find_user: Callable[[str], Any]) -> Resource:
    """/v2/coalitions: sorted by a date that is not shown, no range."""
    columns = {
        **keys(id="int", name="str", slug="str", color="str", user_id="int"),
        **hidden(created_at="time", updated_at="time", bloc_id="int"),
        "image": Column("str", lambda row: row["image_url"]),
        "cover": Column("str", lambda row: row["cover_url"]),
    }

    def of_user(text: str) -> Test:
        wanted = parent_id(find_user, text)
        mine = {row.coalition_id for row in world.coalitions_users.of_user(wanted)}
        return lambda row: row["id"] in mine

    def of_bloc(text: str) -> Test:
        wanted = parent_id(lambda name: world.blocs.get(number(name)), text)
        return lambda row: row["_bloc_id"] == wanted

    def cursus_filter(row: Row, texts: list[str]) -> bool:
        bloc = world.blocs.get(row["_bloc_id"])
        return bloc is not None and str(bloc["cursus_id"]) in texts

    return Resource(
        "coalitions",
        rules(columns, order=_BORN, filters=(), ranges=(), special={"cursus_id": cursus_filter}),
        rows=lambda _: world.coalitions.values(),
        find=by_id_or_slug(world.coalitions),
        render=dumps,
        parents={"user_id": of_user, "bloc_id": of_bloc},
    )


def blocs(world: World) -> Resource:
    """/v2/blocs: the only map from a coalition to its campus and cursus."""
    columns = keys(
        id="int", campus_id="int", cursus_id="int", squad_size="int", created_at="time",
        updated_at="time",
    )  # fmt: skip

    def render_bloc(row: Row) -> bytes:
        members = [
            render.public(one) for one in world.coalitions.values() if one["_bloc_id"] == row["id"]
        ]
        return orjson.dumps({**render.public(row), "coalitions": members})

    def equals(name: str) -> Callable[[str], Test]:
        return lambda text: lambda row: str(row[name]) == text

    return Resource(
        "blocs",
        rules(columns, order=_BORN, ranges=()),
        rows=lambda _: world.blocs.values(),
        find=lambda text: world.blocs.get(number(text)),
        render=render_bloc,
        parents={"campus_id": equals("campus_id"), "cursus_id": equals("cursus_id")},
    )
