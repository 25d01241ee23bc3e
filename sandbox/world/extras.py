"""The small resources beside the mirror's: titles, groups, roles, evaluations, locations."""

from __future__ import annotations

from random import Random
from typing import Any

from .people import User
from .values import API_URL, DAY, EPOCH_MS, HOUR, iso

Row = dict[str, Any]

_ROLES = ("Basic staff", "Advanced staff", "Basic tutor", "Advanced tutor", "Community manager",
          "Achievements manager", "Events manager", "42network")  # fmt: skip


def build_titles_users(users: list[User], titles: list[Row], random: Random) -> list[Row]:
    """Give a title to one person in twenty."""
    rows: list[Row] = []
    for user in random.sample(users, max(len(users) // 20, 5)):
        stamp = iso(user.begin_at + DAY)
        rows.append(
            {
                "id": 100 + len(rows),
                "user_id": user.id,
                "title_id": random.choice(titles)["id"],
                "selected": random.random() < 0.5,
                "created_at": stamp,
                "updated_at": stamp,
            }
        )
    return rows


def build_groups() -> list[Row]:
    """Make a page and a bit of groups; 119 holds the test accounts."""
    numbers = [*range(1, 40), 119]
    return [{"id": n, "name": "Test accounts" if n == 119 else f"Group {n}"} for n in numbers]


def build_groups_users(users: list[User], groups: list[Row], random: Random) -> list[Row]:
    """Put a few people in groups."""
    chosen = random.sample(users, min(len(users), 60))
    return [
        {"id": 500 + n, "user_id": user.id, "group": dict(groups[n % len(groups)])}
        for n, user in enumerate(chosen)
    ]


def build_roles() -> list[Row]:
    """Make the 34 roles of the list that ignores paging."""
    return [
        {"id": n + 1, "name": f"{_ROLES[n % len(_ROLES)]}{'' if n < 8 else f' {n}'}"}
        for n in range(34)
    ]


def build_locations(users: list[User], random: Random) -> list[Row]:
    """Make sessions at machines; one in twenty is still open."""
    rows: list[Row] = []
    for user in random.sample(users, min(len(users), 220)):
        begin = EPOCH_MS - random.randrange(90 * DAY)
        host = f"c{random.randrange(1, 4)}r{random.randrange(1, 9)}s{random.randrange(1, 9)}"
        rows.append(
            {
                "id": 9_000 + len(rows),
                "begin_at": iso(begin),
                "end_at": None if len(rows) % 20 == 0 else iso(min(begin + 3 * HOUR, EPOCH_MS)),
                "primary": True,
                "host": host,
                "campus_id": user.campus_id or 1,
                "_user_id": user.id,
            }
        )
    return rows


def build_scale_teams(
    users: list[User], projects: list[Row], random: Random, count: int
) -> list[Row]:
    """Make evaluations; those to come hide one side behind the word "invisible"."""
    rows = []
    for n in range(count):
        pair = random.sample(users, 2)
        rows.append(_scale_team(3_000 + n, pair[0], pair[1], random.choice(projects), n, random))
    return rows


def _person(user: User) -> Row:
    return {"id": user.id, "login": user.login, "url": f"{API_URL}/users/{user.login}"}


def _scale_team(
    row_id: int, corrector: User, corrected: User, project: Row, n: int, random: Random
) -> Row:
    begin = EPOCH_MS - random.randrange(60 * DAY)
    born, filled = begin - HOUR, begin + HOUR
    future = n % 10 == 0
    team_id = 2_000_000 + row_id
    mark = None if future else random.randrange(0, 126)
    hidden: Any = "invisible"
    return {
        "id": row_id,
        "scale_id": 40,
        "comment": None if future else "Clear and complete.",
        "created_at": iso(born),
        "updated_at": iso(born if future else filled),
        "feedback": None if future else "Kind and fair.",
        "feedback_rating": None if future else random.randrange(1, 6),
        "final_mark": mark,
        "flag": {
            "id": 1,
            "name": "Ok",
            "positive": True,
            "icon": "check-4",
            "created_at": "2015-09-14T23:06:52.000Z",
            "updated_at": "2015-09-14T23:06:52.000Z",
        },
        "begin_at": iso(begin),
        "correcteds": hidden if n % 20 == 10 else [_person(corrected)],
        "corrector": hidden if future else _person(corrector),
        "truant": {},
        "filled_at": None if future else iso(filled),
        "questions_with_answers": [],
        "scale": {
            "id": 40,
            "evaluation_id": 7,
            "name": "scale 1",
            "is_primary": True,
            "comment": "",
            "introduction_md": "Be kind.",
            "disclaimer_md": "",
            "guidelines_md": "Read together.",
            "created_at": "2019-03-04T10:11:12.131Z",
            "correction_number": 3,
            "duration": 1800,
            "manual_subscription": True,
            "languages": [],
            "flags": [],
            "free": False,
        },
        "team": {
            "id": team_id,
            "name": f"{corrected.login}'s group",
            "url": f"{API_URL}/teams/{team_id}",
            "final_mark": mark,
            "project_id": project["id"],
            "created_at": iso(born),
            "updated_at": iso(born),
            "status": "waiting_for_correction" if future else "finished",
            "terminating_at": None,
            "users": [
                {
                    **_person(corrected),
                    "leader": True,
                    "occurrence": 0,
                    "validated": True,
                    "projects_user_id": None,
                }
            ],
            "locked?": True,
            "validated?": None if future else (mark or 0) >= 50,
            "closed?": True,
            "repo_url": None,
            "repo_uuid": f"intra-uuid-{team_id}",
            "locked_at": iso(born),
            "closed_at": iso(born),
            "project_session_id": project["project_sessions"][0]["id"],
            "project_gitlab_path": None,
        },
        "feedbacks": [],
        "_user_id": corrected.id,
        "_corrector_id": corrector.id,
        "_team_id": team_id,
        "_project_id": project["id"],
        "_campus_id": corrected.campus_id,
    }
