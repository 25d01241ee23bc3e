"""People and places that move, close or leave."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from sandbox.clock import Clock
from sandbox.world.changes.newcomers import Newcomers
from sandbox.world.people.users import ANCHOR, User
from sandbox.world.values import DAY, iso
from sandbox.world.world import World

Report = dict[str, list[Any]]


def projects_leave(world: World, clock: Clock, random: Random, count: int) -> Report:
    """Take projects out of the anchor cursus."""
    pool = [row for row in world.projects.values() if ANCHOR in row["cursus"] and not row["_core"]]
    gone = random.sample(pool, min(count, len(pool)))
    for row in gone:
        row["cursus"] = [key for key in row["cursus"] if key != ANCHOR]
        row["updated_at"] = iso(clock.stamp())
    return {"projects": [row["id"] for row in gone]}


def close_campuses(world: World, clock: Clock, random: Random, count: int) -> Report:
    """Make campuses inactive; one stays open."""
    pool = world.open_campuses()
    closed = random.sample(pool, min(count, len(pool) - 1))
    for campus_id in closed:
        world.campuses[campus_id]["active"] = False
        world.campuses[campus_id]["_updated_at"] = iso(clock.stamp())
    return {"campus": closed}


def anonymise(world: World, clock: Clock, users: list[User]) -> Report:
    """Make people nobody: gone from the lists, still nested elsewhere."""
    for user in users:
        del world.logins[user.login]
        user.login = f"3b3-{user.id:x}"
        user.email = f"{user.login}@anonymised.example"
        user.first_name = user.last_name = user.login
        user.usual_first_name = user.location = None
        user.pictured = user.active = user.listed = False
        user.anonymize_day = user.erasure_day = clock.world() // DAY - 1
        world.logins[user.login] = user
        user.touch(clock.stamp())
    return {"users": [user.id for user in users]}


def transfer(world: World, clock: Clock, random: Random, users: list[User]) -> Report:
    """Give people another primary campus."""
    report: Report = {"users": [], "campus_users": []}
    for user in users:
        others = [key for key in world.open_campuses() if key != user.campus_id]
        if not others:
            break
        user.campus_id = random.choice(others)
        user.touch(clock.stamp())
        report["users"].append(user.id)
        rows = list(world.campus_users.of_user(user.id))
        for row in rows:
            primary = row.campus_id == user.campus_id
            if row.is_primary or primary:
                changed = replace(row, is_primary=primary, updated_at=clock.stamp())
                world.campus_users.swap(changed)
                report["campus_users"].append(row.id)
        if all(row.campus_id != user.campus_id for row in rows):
            arrival = Newcomers(world, clock, random).campus_user(user)
            report["campus_users"].append(arrival.id)
    return report


def alumnise(clock: Clock, users: list[User]) -> Report:
    """Let people graduate: they leave the filtered list as if they were deleted."""
    for user in users:
        user.alumni = True
        user.alumnized_at = clock.stamp()
        user.touch(clock.stamp())
    return {"users": [user.id for user in users]}
