"""What public clients of the real API require of a payload, the sandbox serves."""

from __future__ import annotations

import pytest

from .client_schemas import refusals


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("campus", "campus"),
        ("cursus", "cursus"),
        ("users", "user"),
        ("cursus_users", "cursus_user"),
        ("campus_users", "campus_user"),
        ("coalitions", "coalition"),
        ("blocs", "bloc"),
        ("coalitions_users", "coalitions_user"),
        ("achievements", "achievement"),
        ("achievements_users", "achievements_user"),
        ("events", "event"),
        ("events_users", "events_user"),
        ("exams", "exam"),
        ("locations", "location"),
        ("projects", "project"),
        ("project_sessions", "project_session"),
        ("projects_users", "projects_user"),
        ("quests_users", "quests_user"),
        ("scale_teams", "scale_team"),
        ("teams", "listed_team"),
        ("teams_users", "teams_user"),
        ("titles", "title"),
        ("titles_users", "titles_user"),
    ],
)
def test_a_strict_client_takes_every_row(api, path, schema):
    rows = api.every(path, size=30 if path == "scale_teams" else 100)
    assert rows
    assert [one for row in rows for one in refusals(row, schema)][:10] == []


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"projects_user_id": None}, "team_user.projects_user_id is None"),
        ({"leader": "yes"}, "team_user.leader is 'yes'"),
    ],
)
def test_a_strict_client_refuses_what_it_does_not_know(api, change, refused):
    team = api.get("teams", per_page=1).json()[0]
    assert refusals({**team["users"][0], **change}, "team_user") == [refused]
    assert refusals({**team, "status": "lost"}, "team") == ["team.status is 'lost'"]
    del team["users"]
    assert refusals(team, "team") == ["team.users is missing"]
