"""Payloads: field for field, in the order and with the types of recorded answers."""

from __future__ import annotations

from typing import Any

import orjson

from sandbox.world.people.users import CampusUser, CursusUser, User
from sandbox.world.relations.memberships import AchievementsUser, CoalitionsUser
from sandbox.world.relations.projects_user import ProjectsUser
from sandbox.world.values import API_URL, CDN_URL, iso, iso_or_none, mix, paris_midnight

Row = dict[str, Any]

_SKILLS = (
    (1, "Algorithms & AI"),
    (2, "Imperative programming"),
    (3, "Rigor"),
    (4, "Unix"),
    (5, "Graphics"),
    (6, "Web"),
    (7, "Group & interpersonal"),
    (10, "Network & system administration"),
    (14, "Adaptation & creativity"),
    (17, "Object-oriented programming"),
)


def user_fields(user: User) -> Row:
    """Return the short form of a user: 25 keys."""
    login = user.login
    picture = f"{CDN_URL}/users/{user.id % 97:02x}"
    face = user.pictured
    full = f"{user.usual_first_name or user.first_name} {user.last_name}".strip()
    return {
        "id": user.id,
        "email": user.email,
        "login": login,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "usual_full_name": full,
        "usual_first_name": user.usual_first_name,
        "url": f"{API_URL}/users/{login}",
        "phone": "hidden",
        "displayname": full,
        "kind": user.kind,
        "image": {
            "link": f"{picture}/{login}.jpg" if face else None,
            "versions": {
                "large": f"{picture}/large_{login}.jpg" if face else None,
                "medium": f"{picture}/medium_{login}.jpg" if face else None,
                "small": f"{picture}/small_{login}.jpg" if face else None,
                "micro": f"{picture}/micro_{login}.jpg" if face else None,
            },
        },
        "staff?": user.staff,
        "correction_point": user.correction_point,
        "pool_month": user.pool_month,
        "pool_year": user.pool_year,
        "location": user.location,
        "wallet": user.wallet,
        "anonymize_date": None
        if user.anonymize_day is None
        else paris_midnight(user.anonymize_day),
        "data_erasure_date": None if user.erasure_day is None else paris_midnight(user.erasure_day),
        "created_at": iso(user.created_at),
        "updated_at": iso(user.updated_at),
        "alumnized_at": iso_or_none(user.alumnized_at),
        "alumni?": user.alumni,
        "active?": user.active,
    }


def user(row: User) -> bytes:
    """Render the short form, once for as long as the user does not change."""
    if row.json is None:
        row.json = orjson.dumps(user_fields(row))
    return row.json


def public(row: Row) -> Row:
    """Return a row without the columns that only the query language knows."""
    return {key: value for key, value in row.items() if not key.startswith("_")}


def cursus_user_fields(row: CursusUser, user_json: bytes, cursus: Row) -> Row:
    """Return one cursus_user with its user and cursus."""
    bits = mix(17, row.id)
    skills = [
        {
            "id": skill_id,
            "name": name,
            "level": round(row.level * (0.4 + (bits >> (n * 6) & 63) / 100), 2),
        }
        for n, (skill_id, name) in enumerate(_SKILLS[: 1 + bits % len(_SKILLS)])
    ]
    return {
        "id": row.id,
        "begin_at": iso(row.begin_at),
        "end_at": iso_or_none(row.end_at),
        "grade": row.grade,
        "level": row.level,
        "skills": skills,
        "cursus_id": row.cursus_id,
        "has_coalition": row.has_coalition,
        "blackholed_at": iso_or_none(row.blackholed_at),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "user": orjson.Fragment(user_json),
        "cursus": cursus,
    }


def campus_user_fields(row: CampusUser) -> Row:
    """Return one campus_user."""
    return {
        "id": row.id,
        "user_id": row.user_id,
        "campus_id": row.campus_id,
        "is_primary": row.is_primary,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


def coalitions_user_fields(row: CoalitionsUser) -> Row:
    """Return one coalitions_user."""
    return {
        "id": row.id,
        "coalition_id": row.coalition_id,
        "user_id": row.user_id,
        "score": row.score,
        "rank": row.rank,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


def achievements_user_fields(row: AchievementsUser, login: str) -> Row:
    """Return one achievements_user."""
    return {
        "id": row.id,
        "achievement_id": row.achievement_id,
        "user_id": row.user_id,
        "login": login,
        "nbr_of_success": row.nbr_of_success,
        "url": f"{API_URL}/achievements_users/{row.id}",
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


def projects_user_fields(row: ProjectsUser, project: Row) -> Row:
    """Return one projects_user without its user and teams, as a user's detail embeds it."""
    parent = project["parent"]
    return {
        "id": row.id,
        "occurrence": row.occurrence,
        "final_mark": row.final_mark,
        "status": row.status,
        "validated?": row.validated,
        "current_team_id": row.current_team_id,
        "project": {
            "id": project["id"],
            "name": project["name"],
            "slug": project["slug"],
            "parent_id": parent["id"] if parent else None,
        },
        "cursus_ids": project["cursus"] or [row.cursus_id],
        "marked_at": iso_or_none(row.marked_at),
        "marked": row.marked,
        "retriable_at": iso_or_none(row.retriable_at),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }
