"""What `mirror` must hold, worked out from the sandbox's world by the rules of the design.

Written against the rules' text and apart from the SQL, so that one checks the other. The world's
rows come from the sandbox's control endpoint: every row that the API would list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg2.extras
import requests
from psycopg2.extensions import connection as Connection

from extract.tables import streams_on
from extract.tables.streams import STREAMS
from sandbox.world.values import EPOCH

Row = dict[str, Any]
Tables = dict[str, dict[Any, Row]]
LINKS = {
    "campus_projects": ("campus_id", "project_id"),
    "campus_achievements": ("campus_id", "achievement_id"),
    "teams_users": ("team_id", "user_id"),
    "campus_events": ("campus_id", "event_id"),
    "cursus_events": ("cursus_id", "event_id"),
    "cursus_exams": ("cursus_id", "exam_id"),
    "exams_projects": ("exam_id", "project_id"),
    "scale_teams_users": ("scale_team_id", "user_id", "role"),
}


def rows(address: str, resource: str, only: str = "") -> Iterator[Row]:
    """Every row of a resource that the API lists now, one at a time: relations are millions."""
    path = f"{address}/_sandbox/rows/{resource}?listed=true{only}"
    with requests.get(path, timeout=60, stream=True) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines(1 << 20):
            yield orjson.loads(line)


def days_since(before: int) -> int:
    """Days from now to so many before the sandbox's epoch, whatever the date is today."""
    return max(1, (datetime.now(UTC) - EPOCH).days + before)


def flat(row: Row) -> Row:
    """The row without the objects in it, which `mirror` has in tables of their own."""

    def plain(value: Any) -> bool:
        return not isinstance(value[0] if isinstance(value, list) and value else value, dict)

    return {name: value for name, value in row.items() if plain(value)}


def expected(address: str, cursus_id: int = 21, *, relations: bool = True) -> Tables:
    """The published tables by their keys; without those that fill up later if so asked."""
    campuses = {
        row["id"]: row
        for row in rows(address, "campus")
        if row["active"] and row["public"] and row["users_count"] >= 3
    }
    listed = list(rows(address, "campus"))
    names = Counter(row["name"] for row in listed)
    projects, campus_projects, sessions = _projects(address, campuses, cursus_id)
    achievements, campus_achievements = _achievements(address, campuses, listed, names)
    coalitions = {row["id"]: row for row in rows(address, "coalitions")}
    in_cursus = {
        row["user"]["id"]: row
        for row in rows(address, "cursus_users")
        if row["cursus_id"] == cursus_id
    }
    primary = {
        row["user_id"]: row["campus_id"]
        for row in rows(address, "campus_users")
        if row["is_primary"]
    }
    users = {}
    for row in rows(address, "users"):
        campus = primary.get(row["id"])
        student = row["kind"] == "student" and not row["alumni?"]
        if student and row["id"] in in_cursus and campus in campuses:
            users[row["id"]] = {**row, "campus_id": campus}
    tables: Tables = {
        "cursus": {r["id"]: r for r in rows(address, "cursus") if r["id"] == cursus_id},
        "campuses": campuses,
        "projects": projects,
        "achievements": achievements,
        "coalitions": coalitions,
        "campus_projects": campus_projects,
        "campus_achievements": campus_achievements,
        "project_sessions": sessions,
        "users": users,
        "cursus_users": {
            r["id"]: {**r, "user_id": r["user"]["id"]}
            for r in in_cursus.values()
            if r["user"]["id"] in users
        },
    }
    if not relations:
        return tables
    tables["projects_users"] = {
        r["id"]: {**flat(r), "user_id": r["user"]["id"], "project_id": r["project"]["id"]}
        for r in rows(address, "projects_users")
        if r["user"]["id"] in users and r["project"]["id"] in projects
    }
    tables["achievements_users"] = {
        r["id"]: r
        for r in rows(address, "achievements_users")
        if r["user_id"] in users and r["achievement_id"] in achievements
    }
    tables["coalitions_users"] = {
        r["id"]: r
        for r in rows(address, "coalitions_users")
        if r["user_id"] in users and r["coalition_id"] in coalitions
    }
    teams = {
        r["id"]: r
        for r in rows(address, "teams")
        if r["project_id"] in projects and any(member["id"] in users for member in r["users"])
    }
    tables["teams"] = teams
    tables["teams_users"] = {
        (r["team_id"], r["user_id"]): r
        for r in rows(address, "teams_users")
        if r["team_id"] in teams and r["user_id"] in users
    }
    tables["campus_users"] = {
        r["id"]: r
        for r in rows(address, "campus_users")
        if r["user_id"] in users and r["campus_id"] in campuses
    }
    progress = {
        r["id"]: {**r, "user_id": r["user"]["id"]}
        for r in rows(address, "quests_users")
        if r["user"]["id"] in users and r["quest"]["cursus_id"] == cursus_id
    }
    tables["quests_users"] = progress
    tables["quests"] = {r["quest"]["id"]: r["quest"] for r in rows(address, "quests_users")}
    kept_from = STREAMS["seats"].kept_from()
    tables["locations"] = {
        r["id"]: {**r, "user_id": r["user"]["id"], "is_primary": r["primary"]}
        for r in (rows(address, "locations") if "seats" in streams_on() else ())
        if r["user"]["id"] in users and r["campus_id"] in campuses
        if kept_from and datetime.fromisoformat(r["begin_at"]) >= kept_from
    }
    if "evaluations" in streams_on():
        tables |= _evaluations(address, projects, users, cursus_id)
    if "agenda" not in streams_on():
        return tables
    return tables | _agenda(address, campuses, projects, users, cursus_id)


def differences(
    connection: Connection, truth: Tables, tables: list[str] | None = None
) -> list[str]:
    """Where `mirror` is not the truth: missing, dead and differing rows, a line each."""
    found = []
    for table in tables or list(truth):
        with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(f"select * from mirror.{table}")
            key = LINKS.get(table, ("id",))
            mirrored = {
                tuple(r[k] for k in key) if len(key) > 1 else r["id"]: r for r in cursor.fetchall()
            }
        wanted = truth[table]
        found += [f"{table} {k}: missing" for k in sorted(wanted.keys() - mirrored.keys())]
        found += [f"{table} {k}: dead" for k in sorted(mirrored.keys() - wanted.keys())]
        for k in wanted.keys() & mirrored.keys():
            found += [f"{table} {k}: {text}" for text in _compare(wanted[k], mirrored[k])]
    return found


def _projects(address: str, campuses: Tables | Any, cursus_id: int) -> tuple[Any, Any, Any]:
    projects, pairs, sessions = {}, {}, {}
    for row in rows(address, "projects"):
        if cursus_id not in [c["id"] for c in row["cursus"]]:
            continue
        kept = [c["id"] for c in row["campus"] if c["id"] in campuses]
        if not kept:
            continue
        projects[row["id"]] = {**row, "parent_id": (row["parent"] or {}).get("id")}
        for campus in kept:
            pairs[campus, row["id"]] = {"campus_id": campus, "project_id": row["id"]}
        for session in row["project_sessions"]:
            if session["campus_id"] is None or session["campus_id"] in campuses:
                sessions[session["id"]] = session
    return projects, pairs, sessions


def _achievements(
    address: str, campuses: Any, listed: list[Row], names: Counter[str]
) -> tuple[Any, Any]:
    by_name = {row["name"]: row["id"] for row in listed if names[row["name"]] == 1}
    achievements = {row["id"]: row for row in rows(address, "achievements")}
    pairs = {}
    for row in achievements.values():
        for name in row["campus"]:
            if by_name.get(name) in campuses:
                pair = {"campus_id": by_name[name], "achievement_id": row["id"]}
                pairs[by_name[name], row["id"]] = pair
    for campus in [row["id"] for row in listed if names[row["name"]] > 1]:
        if campus in campuses:
            for key in offered_at(address, campus):
                if key in achievements:
                    pairs[campus, key] = {"campus_id": campus, "achievement_id": key}
    offered = {key for _, key in pairs}
    return {key: row for key, row in achievements.items() if key in offered}, pairs


def _agenda(address: str, campuses: Any, projects: Any, users: Any, cursus_id: int) -> Tables:
    """Events and exams for the cursus or for everybody, at a kept campus, and what they name."""
    events = {
        row["id"]: row
        for row in rows(address, "events")
        if (cursus_id in row["cursus_ids"] or not row["cursus_ids"])
        and any(campus in campuses for campus in row["campus_ids"])
    }
    exams = {}
    for row in rows(address, "exams"):
        cursus = [one["id"] for one in row["cursus"]]
        if (cursus_id in cursus or not cursus) and row["campus"]["id"] in campuses:
            exams[row["id"]] = {**row, "campus_id": row["campus"]["id"], "cursus": cursus}

    def pairs(names: tuple[str, str], found: Iterator[tuple[int, int]]) -> dict[Any, Row]:
        return {pair: dict(zip(names, pair, strict=True)) for pair in found}

    return {
        "events": events,
        "exams": exams,
        "campus_events": pairs(
            LINKS["campus_events"],
            ((c, key) for key, row in events.items() for c in row["campus_ids"] if c in campuses),
        ),
        "cursus_events": pairs(
            LINKS["cursus_events"],
            ((cursus_id, key) for key, row in events.items() if cursus_id in row["cursus_ids"]),
        ),
        "cursus_exams": pairs(
            LINKS["cursus_exams"],
            ((cursus_id, key) for key, row in exams.items() if cursus_id in row["cursus"]),
        ),
        "exams_projects": pairs(
            LINKS["exams_projects"],
            (
                (key, one["id"])
                for key, row in exams.items()
                for one in row["projects"]
                if one["id"] in projects
            ),
        ),
        "events_users": {
            row["id"]: row
            for row in rows(address, "events_users")
            if row["event_id"] in events and row["user_id"] in users
        },
    }


def _evaluations(address: str, projects: Any, users: Any, cursus_id: int) -> Tables:
    """Evaluations on a kept project, of a kept person or of people who are hidden yet."""
    kept_from = STREAMS["evaluations"].kept_from()
    evaluations, people = {}, {}
    for row in rows(address, "scale_teams", f"&filter[cursus_id]={cursus_id}"):
        if not kept_from or datetime.fromisoformat(row["begin_at"]) < kept_from:
            continue
        team = row.get("team") or {}
        project = team.get("project_id")
        given, received, missed = row["corrector"], row["correcteds"], row["truant"]
        hidden = given == "invisible", received == "invisible"
        parts = {(given["id"], "corrector")} if not hidden[0] and given else set()
        parts |= {(one["id"], "corrected") for one in received} if not hidden[1] else set()
        parts |= {(missed["id"], "truant")} if missed else set()
        parts = {part for part in parts if part[0] in users}
        if (project is None or project in projects) and (any(hidden) or parts):
            evaluations[row["id"]] = {
                **flat(row),
                "team_id": team.get("id"),
                "project_id": project,
                "corrector_hidden": hidden[0],
                "corrected_hidden": hidden[1],
                **{f"flag_{name}": row["flag"][name] for name in ("id", "name", "positive")},
            }
            for user, role in parts:
                key = row["id"], user, role
                people[key] = dict(zip(LINKS["scale_teams_users"], key, strict=True))
    return {"scale_teams": evaluations, "scale_teams_users": people}


def offered_at(address: str, campus: int, secret: str = "sandbox") -> list[int]:
    """The achievements of a campus, which no row of them tells where campuses share a name."""
    form = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": secret}
    answer = requests.post(f"{address}/oauth/token", data=form, timeout=10)
    token = answer.json()["access_token"]
    keys: list[int] = []
    for page in range(1, 100):
        answer = requests.get(
            f"{address}/v2/campus/{campus}/achievements?page[size]=100&page[number]={page}",
            headers={"Authorization": f"Bearer {token}", "User-Agent": "oracle"},
            timeout=10,
        ).json()
        keys += [row["id"] for row in answer]
        if len(answer) < 100:
            break
    return keys


def _compare(wanted: Row, mirrored: Row) -> list[str]:
    found = []
    for column, value in mirrored.items():
        field = next((name for name in (column, f"{column}?") if name in wanted), None)
        if field is None:
            continue
        if _plain(value) != _plain(wanted[field]):
            found.append(f"{column} is {value!r}, not {wanted[field]!r}")
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, str) and len(value) >= 20 and value[4:5] == "-" and "T" in value:
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            return value
    return value
