"""The invented network: everything the API can be asked about."""

from __future__ import annotations

from random import Random
from typing import Any

from sandbox.world.people.names import pools
from sandbox.world.people.users import (
    ANCHOR,
    PISCINE,
    CampusUser,
    CursusUser,
    People,
    User,
    cursus_user,
)
from sandbox.world.reference import achievements as achievements_of
from sandbox.world.reference import campuses, curriculum
from sandbox.world.reference import coalitions as coalitions_of
from sandbox.world.reference import projects as projects_of
from sandbox.world.reference import titles as titles_of
from sandbox.world.relations import agenda
from sandbox.world.relations.lazy import LazyRelation
from sandbox.world.relations.locations import Locations
from sandbox.world.relations.memberships import AchievementsUser, AchievementsUsers, CoalitionsUser
from sandbox.world.relations.projects_user import ProjectsUser
from sandbox.world.relations.projects_users import ProjectsUsers
from sandbox.world.relations.quests import QuestsUsers, build_quests
from sandbox.world.relations.scale_teams import ScaleTeams
from sandbox.world.relations.table import Table
from sandbox.world.scale import Scale
from sandbox.world.values import DAY, mix

Row = dict[str, Any]

MIN_USERS = 3


class World:
    """All rows of one network. The same scale and seed always give the same world."""

    def __init__(self, scale: Scale, seed: int) -> None:
        self.scale = scale
        self.seed = seed
        self.version = 0
        random = Random(f"{scale.name}/{seed}")
        campus_rows, students = campuses.build(scale, random)
        cursus_rows = projects_of.build_cursus(scale, random)
        project_rows = projects_of.ProjectBuilder(scale, campus_rows, cursus_rows, random).build()
        titles = achievements_of.build_titles(max(scale.titled_achievements, 12))
        achievement_rows = achievements_of.build_achievements(scale, campus_rows, titles, random)
        self.people = People(scale, campus_rows, students, cursus_rows, pools(), random)
        people = self.people.build()
        masters = [user.id for user in people if user.staff] or [people[0].id]
        coalitions, blocs, lost = coalitions_of.build(scale, campus_rows, masters, random)

        self.campuses = _by_id(campus_rows)
        self.cursus = _by_id(cursus_rows)
        self.projects = _by_id(project_rows)
        self.achievements = _by_id(achievement_rows)
        self.coalitions = _by_id(coalitions)
        self.blocs = _by_id(blocs)
        self.titles = _by_id(titles)
        self.groups = _by_id(titles_of.build_groups())
        self.roles = _by_id(titles_of.build_roles())
        self.titles_users = _by_id(titles_of.build_titles_users(people, titles, random))
        self.groups_users = _by_id(
            titles_of.build_groups_users(people, list(self.groups.values()), random)
        )
        self.users = {user.id: user for user in people}
        self.logins = {user.login: user for user in people}
        self.cursus_users = Table(_cursus_users(people, random))
        self.campus_users = Table(_campus_users(people, list(students), random))
        self.coalitions_users = Table(self._coalitions_users(people, lost, random))
        self.projects_users = self._projects_users(people, project_rows)
        self.achievements_users = AchievementsUsers(
            people, mix(seed, 2), scale.achievements_per_user, list(self.achievements)
        )
        self._build_days(people, list(students), project_rows)
        self._members: dict[int, tuple[int, set[int]]] = {}
        self._by_campus: tuple[int, dict[int | None, list[User]]] = (-1, {})

    def remove_user(self, user: User) -> None:
        """Delete an account and everything that belongs to it."""
        del self.users[user.id]
        del self.logins[user.login]
        for table in (self.cursus_users, self.campus_users, self.coalitions_users):
            table.remove_user(user.id)
        self.events_users.remove_user(user.id)
        for relation in self.lazy_relations():
            relation.remove_user(user)

    def lazy_relations(self) -> tuple[LazyRelation[Any], ...]:
        """Return the relations that are computed on request."""
        return (
            self.projects_users,
            self.achievements_users,
            self.locations,
            self.scale_teams,
            self.quests_users,
        )

    def open_campuses(self) -> list[int]:
        """Return the ids of the campuses that the mirror keeps."""
        return [key for key, row in self.campuses.items() if _is_open(row)]

    def is_kept(self, user: User) -> bool:
        """Tell whether the mirror's rule for users lets this one in."""
        campus = self.campuses.get(user.campus_id or 0)
        return (
            user.listed
            and user.kind == "student"
            and not user.alumni
            and ANCHOR in user.cursus
            and campus is not None
            and _is_open(campus)
        )

    def members(self, cursus_id: int) -> set[int]:
        """Return the ids of the people in a cursus."""
        known = self._members.get(cursus_id)
        if known is None or known[0] != self.version:
            found = {row.user_id for row in self.cursus_users if row.cursus_id == cursus_id}
            known = (self.version, found)
            self._members[cursus_id] = known
        return known[1]

    def based_at(self, campus_id: int) -> list[User]:
        """Return the accounts whose primary campus this is, lowest id first."""
        if self._by_campus[0] != self.version:
            found: dict[int | None, list[User]] = {}
            for user in self.users.values():
                found.setdefault(user.campus_id, []).append(user)
            self._by_campus = (self.version, found)
        return self._by_campus[1].get(campus_id, [])

    def on_project(self, project_id: int) -> list[ProjectsUser]:
        """Return the projects_users of one project, looking at no other row."""
        relation = self.projects_users
        return relation.matching(
            lambda user, number: relation.project_of(user, number) == project_id,
            lambda row: row.project_id == project_id,
        )

    def with_achievement(self, achievement_id: int) -> list[AchievementsUser]:
        """Return the achievements_users of one achievement."""
        relation = self.achievements_users
        return relation.matching(
            lambda user, number: relation.achievement_of(user, number) == achievement_id,
            lambda row: row.achievement_id == achievement_id,
        )

    def sessions(self) -> list[Row]:
        """Return the sessions of every project."""
        return [
            session for project in self.projects.values() for session in project["project_sessions"]
        ]

    def _build_days(self, people: list[User], places: list[int], projects: list[Row]) -> None:
        """Build what people do all day, from a source of chance of its own."""
        scale, seed = self.scale, self.seed
        random = Random(f"{scale.name}/{seed}/days")
        self.locations = Locations(people, mix(seed, 3), scale.locations_per_user, places)
        self.scale_teams = ScaleTeams(
            people, mix(seed, 4), scale.scale_teams_per_user, self.projects_users
        )
        self.quests = _by_id(build_quests())
        self.quests_users = QuestsUsers(people, mix(seed, 5), list(self.quests))
        events = agenda.build_events(places, scale.events_per_campus, random)
        self.events = _by_id(events)
        self.events_users = Table(
            agenda.build_events_users(events, people, scale.sign_ups_per_event, random)
        )
        exams = [row for row in projects if row["exam"]] or projects[:3]
        self.exams = _by_id(agenda.build_exams(places, exams, scale.exams_per_campus, random))

    def _coalitions_users(
        self, people: list[User], lost: list[int], random: Random
    ) -> list[CoalitionsUser]:
        scale = self.scale
        living = list(self.coalitions)
        kept = [user for user in people if self.is_kept(user)]
        each, more = divmod(scale.coalitions_users, len(kept))
        lucky = set(random.sample(range(len(kept)), more))
        unlucky = set(random.sample(range(len(kept)), scale.lost_coalitions_users))
        rows: list[CoalitionsUser] = []
        for n, user in enumerate(kept):
            chosen = random.choices(living, k=each + (n in lucky))
            if n % 150 == 0:
                chosen = chosen[:1] * len(chosen)  # the API serves some memberships twice
            if n in unlucky:
                chosen.append(random.choice(lost))
            rows += [_membership(coalition_id, user, random) for coalition_id in chosen]
        for user in people:
            if not self.is_kept(user) and ANCHOR in user.cursus:
                rows.append(_membership(random.choice(living), user, random))
        rows.sort(key=lambda row: row.created_at)
        for n, row in enumerate(rows):
            row.id = 30_000 + n * 2
        return rows

    def _projects_users(self, people: list[User], project_rows: list[Row]) -> ProjectsUsers:
        named = [row for row in project_rows if row["slug"] is not None]
        piscine = [row["id"] for row in named if row["cursus"] == [PISCINE]]
        core = [one.id for one in curriculum.CORE]
        electives = [row["id"] for row in named if ANCHOR in row["cursus"] and not row["_core"]]
        size = 12 if self.scale.name == "network" else 3
        return ProjectsUsers(
            people,
            self.users,
            mix(self.seed, 1),
            self.scale.projects_per_user,
            piscine[:size],
            core,
            electives,
            {row["id"]: row["_team_size"] for row in named},
        )


def _is_open(campus: Row) -> bool:
    return bool(
        campus["_listed"]
        and campus["active"]
        and campus["public"]
        and campus["users_count"] >= MIN_USERS
    )


def _by_id(rows: list[Row]) -> dict[int, Row]:
    return {row["id"]: row for row in rows}


def _cursus_users(people: list[User], random: Random) -> list[CursusUser]:
    rows = [cursus_user(0, user, cursus_id, random) for user in people for cursus_id in user.cursus]
    rows.sort(key=lambda row: row.created_at)
    for n, row in enumerate(rows):
        row.id = 60_000 + n * 3
    return rows


def _campus_users(people: list[User], kept: list[int], random: Random) -> list[CampusUser]:
    rows: list[CampusUser] = []
    for user in people:
        stamp = user.created_at + 183
        if user.campus_id is not None:
            rows.append(CampusUser(0, user.id, user.campus_id, True, stamp, stamp))
        if random.random() < 0.08:
            other = random.choice(kept)
            if other != user.campus_id:
                visit = min(stamp + 200 * DAY, user.last_seen)
                rows.append(CampusUser(0, user.id, other, False, visit, visit))
    rows.sort(key=lambda row: row.created_at)
    for n, row in enumerate(rows):
        row.id = 8_000 + n
    return rows


def _membership(coalition_id: int, user: User, random: Random) -> CoalitionsUser:
    created = user.begin_at + random.randrange(30) * DAY // 30
    return CoalitionsUser(
        id=0,
        coalition_id=coalition_id,
        user_id=user.id,
        score=random.randrange(-50, 4_000),
        rank=random.randrange(1, 900),
        created_at=created,
        updated_at=max(created, user.updated_at - random.randrange(90 * DAY)),
    )
