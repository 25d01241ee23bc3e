"""People and rows that arrive after the epoch."""

from __future__ import annotations

from random import Random
from typing import Any

from sandbox.clock import Clock
from sandbox.world.people.users import ANCHOR, PISCINE, CampusUser, User, cursus_user
from sandbox.world.relations.memberships import AchievementsUser, CoalitionsUser
from sandbox.world.relations.projects_user import new_projects_user
from sandbox.world.values import DAY
from sandbox.world.world import World

Report = dict[str, list[Any]]


class Newcomers:
    """Adds rows to a world and notes their ids in a report."""

    def __init__(self, world: World, clock: Clock, random: Random) -> None:
        self._world = world
        self._clock = clock
        self._random = random

    def user(self, report: Report) -> User:
        """Add a student of the anchor cursus at an open campus, with a first row everywhere."""
        world, random = self._world, self._random
        user = world.people.person(random.choice(world.open_campuses()), random)
        stamp = self._clock.stamp()
        user.id = max(world.users) + 1 + random.randrange(3)
        user.index = -1
        user.created_at = user.updated_at = user.begin_at = user.last_seen = stamp
        user.pool_month, user.pool_year = "october", "2026"
        user.wallet, user.active, user.cursus = 0, True, (PISCINE, ANCHOR)
        user.anonymize_day = user.erasure_day = stamp // DAY + 1096
        world.users[user.id] = world.logins[user.login] = user
        world.campuses[user.campus_id or 0]["users_count"] += 1
        report.setdefault("users", []).append(user.id)
        report.setdefault("campus_users", []).append(self.campus_user(user).id)
        for cursus_id in user.cursus:
            row = cursus_user(0, user, cursus_id, random)
            row.begin_at = row.created_at = row.updated_at = self._clock.stamp()
            row.end_at = None
            world.cursus_users.add(row)
            report.setdefault("cursus_users", []).append(row.id)
        self.projects_user(user, report)
        self.achievements_user(user, report)
        self.coalitions_user(user, report)
        return user

    def campus_user(self, user: User) -> CampusUser:
        """Put a person at their primary campus."""
        stamp = self._clock.stamp()
        row = CampusUser(0, user.id, user.campus_id or 0, True, stamp, stamp)
        self._world.campus_users.add(row)
        return row

    def projects_user(self, user: User, report: Report) -> None:
        """Register a person for a project of the anchor they are not on yet."""
        world = self._world
        mine = {row.project_id for row in world.projects_users.of_user(user)}
        free = [
            key
            for key, row in world.projects.items()
            if ANCHOR in row["cursus"] and row["slug"] is not None and key not in mine
        ]
        if not free:
            return
        stamp = self._clock.stamp()
        row = new_projects_user(user.id, self._random.choice(free), stamp)
        world.projects_users.add(row)
        report.setdefault("projects_users", []).append(row.id)

    def achievements_user(self, user: User, report: Report) -> None:
        """Give a person an achievement they do not have yet."""
        world = self._world
        mine = {row.achievement_id for row in world.achievements_users.of_user(user)}
        free = [key for key in world.achievements if key not in mine]
        if not free:
            return
        stamp = self._clock.stamp()
        row = AchievementsUser(0, self._random.choice(free), user.id, None, stamp, stamp)
        world.achievements_users.add(row)
        report.setdefault("achievements_users", []).append(row.id)

    def coalitions_user(self, user: User, report: Report) -> None:
        """Put a person in a coalition."""
        stamp = self._clock.stamp()
        chosen = self._random.choice(list(self._world.coalitions))
        row = CoalitionsUser(0, chosen, user.id, 0, 1, stamp, stamp)
        self._world.coalitions_users.add(row)
        report.setdefault("coalitions_users", []).append(row.id)
