"""Evaluations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from sandbox.api.query import Column, Query, bounds
from sandbox.clock import Clock
from sandbox.resources.base import (
    Resource,
    Row,
    Test,
    absent,
    by_id_or_slug,
    number,
    parent_id,
    rules,
    slots,
    when,
)
from sandbox.resources.lazy import candidates, quick
from sandbox.resources.people import of_user, user_finder
from sandbox.world.relations.scale_teams import FLAGS, ScaleTeam
from sandbox.world.relations.teams import team_fields
from sandbox.world.values import API_URL, HOUR, iso, iso_or_none
from sandbox.world.world import World

_BORN = "2015-09-14T23:06:52.000Z"
# Larger pages time out at the real API.
LARGEST_PAGE = 30
_INVISIBLE = "invisible"
_SHOWN_BEFORE = HOUR // 4
_SCALE = {
    "evaluation_id": 7,
    "is_primary": True,
    "comment": "",
    "introduction_md": "Be kind.",
    "disclaimer_md": "",
    "guidelines_md": "Read together.",
    "created_at": "2019-03-04T10:11:12.131Z",
    "correction_number": 3,
    "duration": 1800,
    "manual_subscription": True,
    "languages": [
        {"id": 2, "name": "English", "identifier": "en", "created_at": _BORN, "updated_at": _BORN}
    ],
    "free": False,
}


def flag(flag_id: int) -> Row:
    """Return a flag as evaluations nest it."""
    name, positive, icon = FLAGS[flag_id - 1]
    return {
        "id": flag_id,
        "name": name,
        "positive": positive,
        "icon": icon,
        "created_at": _BORN,
        "updated_at": _BORN,
    }


class Evaluations:
    """Renders evaluations as of now: people are hidden until a quarter of an hour before."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock

    def _person(self, user_id: int | None) -> Row:
        user = self._world.users.get(user_id or 0)
        if user is None:
            return {}
        return {"id": user.id, "login": user.login, "url": f"{API_URL}/users/{user.login}"}

    def base(self, row: ScaleTeam) -> Row:
        """Return what teams nest: without scale, team and feedbacks."""
        hidden = row.begin_at - self._clock.world() > _SHOWN_BEFORE
        people = [user.id for user, _ in self._world.projects_users.people(row.group)]
        corrector: Any = self._person(row.corrector_id)
        correcteds: Any = [one for user_id in people if (one := self._person(user_id))]
        held = row.final_mark is not None
        return {
            "id": row.id,
            "scale_id": row.project_id % 90 + 1,
            "comment": "Clear and complete." if held else None,
            "created_at": iso(row.created_at),
            "updated_at": iso(row.updated_at),
            "feedback": None if row.feedback_rating is None else "Kind and fair.",
            "feedback_rating": row.feedback_rating,
            "final_mark": row.final_mark,
            "flag": flag(row.flag_id),
            "begin_at": iso(row.begin_at),
            "correcteds": _INVISIBLE if hidden and row.id % 2 else correcteds,
            "corrector": _INVISIBLE if hidden and corrector else corrector,
            "truant": self._person(row.truant_id),
            "filled_at": iso_or_none(row.filled_at),
            "questions_with_answers": [],
        }

    def render(self, row: ScaleTeam) -> bytes:
        """Return the payload of the list."""
        world = self._world
        shown = self.base(row)
        shown["scale"] = {
            "id": shown["scale_id"],
            "name": f"scale {row.project_id}",
            **_SCALE,
            "flags": [flag(number + 1) for number in range(len(FLAGS))],
        }
        team = world.projects_users.team(row.group, row.number, row.project_id)
        if team is not None:
            session_id = world.projects[row.project_id]["project_sessions"][0]["id"]
            shown["team"] = team_fields(team, session_id)
        shown["feedbacks"] = []
        if row.feedback_rating is not None:
            shown["feedbacks"].append(
                {
                    "id": row.id + 17,
                    "user": self._person(row.user_id) or None,
                    "feedbackable_type": "ScaleTeam",
                    "feedbackable_id": row.id,
                    "comment": "Kind and fair.",
                    "rating": row.feedback_rating,
                    "created_at": iso(row.updated_at),
                }
            )
        return orjson.dumps(shown)


def scale_teams(world: World, clock: Clock) -> Resource:
    """/v2/scale_teams: evaluations to come say "invisible" where a person would be."""
    relation = world.scale_teams
    columns = {
        **slots(
            id="int", user_id="int", begin_at="time", created_at="time", updated_at="time",
            feedback_rating="int", final_mark="int", truant_id="int", flag_id="int",
            filled_at="time", campus_id="int", cursus_id="int",
        ),
        "scale_id": Column("int", lambda row: row.project_id % 90 + 1),
        "team_id": Column("int", lambda row: row.team_id),
        **absent("comment", "old_feedback", "token", "ip", "internship_id"),
    }  # fmt: skip
    shown = tuple(name for name in columns if name not in ("campus_id", "cursus_id"))

    def corrector(text: str) -> Test:
        wanted = parent_id(user_finder(world), text)
        return lambda row: row.corrector_id == wanted

    def on_project(text: str) -> Test:
        wanted = parent_id(by_id_or_slug(world.projects), text)
        return lambda row: row.project_id == wanted

    found = rules(
        columns,
        order=(("begin_at", True), ("id", True)),
        sort=shown,
        filters=(*shown, "campus_id", "cursus_id"),
        ranges=shown,
        special={
            "future": when(lambda row: row.begin_at > clock.world()),
            "filled": when(lambda row: row.filled_at is not None),
        },
    )
    narrowest = candidates(world, relation, found, {"campus_id": relation.at_campus})

    def rows(query: Query) -> Iterable[Row]:
        if query.filters.get("future") == ["true"] and "user_id" not in query.filters:
            return relation.booked()
        if "begin_at" in query.ranges and not query.ranges.keys() & {"updated_at"}:
            return relation.begun(*bounds(query, found, "begin_at"))
        if "corrector_id" in query.plain:
            user = user_finder(world)(query.plain["corrector_id"])
            return relation.corrected_by(user) if user else []
        return narrowest(query)

    return Resource(
        "scale_teams",
        found,
        rows=rows,
        find=lambda text: relation.find(number(text)),
        render=Evaluations(world, clock).render,
        parents={
            "user_id": of_user(world),
            "corrector_id": corrector,
            "project_id": on_project,
        },
        quick=quick(relation, found, "begin_at"),
        everything=relation.all,
        largest_page=LARGEST_PAGE,
    )
