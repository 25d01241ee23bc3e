"""What happens on a day: seats, evaluations, events, milestones, teams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from ..clock import Clock
from . import World, agenda
from .agenda import EventsUser
from .lazy import LazyRelation
from .locations import Location, host
from .people import ANCHOR, User
from .projects_users import ProjectsUser, new_projects_user
from .quests import QuestsUser
from .scale_teams import ScaleTeam
from .teams import MOST_ATTEMPTS, Attempt
from .values import DAY, HOUR, iso, millis

Report = dict[str, list[Any]]


class Day:
    """Changes one world as a day at 42 does.

    Args:
        world: what changes.
        clock: gives every change its moment.
        random: the source of chance.
        students: takes students that this call has not touched yet.
    """

    def __init__(
        self,
        world: World,
        clock: Clock,
        random: Random,
        students: Callable[[int], list[User]],
    ) -> None:
        self._world = world
        self._clock = clock
        self._random = random
        self._students = students

    def actions(self) -> dict[str, Callable[[int], Report]]:
        """Return what can happen, by name."""
        return {
            "open_sessions": self._open_sessions,
            "close_sessions": self._close_sessions,
            "delete_sessions": self._delete_sessions,
            "book_evaluations": self._book_evaluations,
            "hold_evaluations": self._hold_evaluations,
            "miss_evaluations": self._miss_evaluations,
            "cancel_evaluations": self._cancel_evaluations,
            "new_events": self._new_events,
            "edit_events": self._edit_events,
            "sign_up": self._sign_up,
            "cancel_sign_up": self._cancel_sign_up,
            "start_quests": self._start_quests,
            "validate_quests": self._validate_quests,
            "form_teams": self._form_teams,
            "leave_teams": self._leave_teams,
            "retry_teams": self._retry_teams,
            "give_up_teams": self._give_up_teams,
        }

    def _some(self, rows: list[Any], count: int) -> list[Any]:
        return self._random.sample(rows, min(count, len(rows)))

    # -- seats -----------------------------------------------------------------------------

    def _open_sessions(self, count: int) -> Report:
        ids = []
        for user in self._students(count):
            stamp, bits = self._clock.stamp(), self._random.getrandbits(48)
            campus_id = user.campus_id or 0
            seat = host(campus_id, bits)
            row = Location(0, user.id, campus_id, seat, bits >> 40 & 15 != 0, stamp, None)
            self._world.locations.add(row)
            user.location = seat
            user.json = None
            ids.append(row.id)
        return {"locations": ids}

    def _close_sessions(self, count: int) -> Report:
        relation = self._world.locations
        rows = self._some(relation.open_rows(), count)
        for row in rows:
            relation.replace(replace(row, end_at=self._clock.stamp()))
        return {"locations": [row.id for row in rows]}

    def _delete_sessions(self, count: int) -> Report:
        """Take sessions away, half of them open ones: 42 removes what was recorded wrongly."""
        relation = self._world.locations
        rows = self._some(relation.open_rows(), count - count // 2)
        left = self._students(count - len(rows))
        rows += [self._random.choice(mine) for user in left if (mine := relation.of_user(user))]
        found = {row.id: row for row in rows}
        for row in found.values():
            relation.remove(row)
        return {"locations": list(found)}

    # -- evaluations -----------------------------------------------------------------------

    def _book_evaluations(self, count: int) -> Report:
        world, ids = self._world, []
        for user in self._students(count):
            mine = [row for row in world.projects_users.of_user(user) if row.teams]
            near = [one for one in world.based_at(user.campus_id or 0) if one.id != user.id]
            if not mine or not near:
                continue
            on, stamp = self._random.choice(mine), self._clock.stamp()
            row = ScaleTeam(
                id=0,
                user_id=user.id,
                corrector_id=self._random.choice(near).id,
                truant_id=None,
                group=on.group,
                number=on.teams - 1,
                project_id=on.project_id,
                cursus_id=on.cursus_id,
                campus_id=user.campus_id,
                flag_id=1,
                final_mark=None,
                feedback_rating=None,
                begin_at=stamp + self._random.randrange(1, 48) * HOUR // 2,
                filled_at=None,
                created_at=stamp,
                updated_at=stamp,
            )
            world.scale_teams.add(row)
            ids.append(row.id)
        return {"scale_teams": ids}

    def _booked(self, count: int) -> list[ScaleTeam]:
        rows = self._world.scale_teams.booked()
        return self._some(
            [row for row in rows if row.final_mark is None and row.truant_id is None], count
        )

    def _change(self, relation: LazyRelation[Any], rows: list[Any], **values: Any) -> list[int]:
        for row in rows:
            relation.replace(replace(row, updated_at=self._clock.stamp(), **values))
        return [row.id for row in rows]

    def _hold_evaluations(self, count: int) -> Report:
        stamp = self._clock.stamp()
        mark, rating = self._random.randrange(126), self._random.randrange(1, 6)
        rows = [replace(row, begin_at=min(row.begin_at, stamp)) for row in self._booked(count)]
        ids = self._change(
            self._world.scale_teams, rows, final_mark=mark, feedback_rating=rating, filled_at=stamp
        )
        return {"scale_teams": ids}

    def _miss_evaluations(self, count: int) -> Report:
        """Let the people who are evaluated stay away."""
        relation = self._world.scale_teams
        ids = []
        for row in self._booked(count):
            ids += self._change(relation, [row], truant_id=row.user_id)
        return {"scale_teams": ids}

    def _cancel_evaluations(self, count: int) -> Report:
        rows = self._booked(count)
        for row in rows:
            self._world.scale_teams.remove(row)
        return {"scale_teams": [row.id for row in rows]}

    # -- agenda ----------------------------------------------------------------------------

    def _new_events(self, count: int) -> Report:
        world, ids = self._world, []
        for _ in range(count):
            stamp = self._clock.stamp()
            begin = stamp + self._random.randrange(1, 21 * 24) * HOUR
            key = max(world.events, default=30_000) + 1
            row = agenda.build_event(key, world.open_campuses(), begin, self._random)
            row["created_at"] = row["updated_at"] = iso(stamp)
            world.events[key] = row
            ids.append(key)
        return {"events": ids}

    def _coming(self) -> list[dict[str, Any]]:
        now = self._clock.world()
        return [row for row in self._world.events.values() if millis(row["begin_at"]) > now]

    def _edit_events(self, count: int) -> Report:
        """Put events off by a day."""
        rows = self._some(self._coming(), count)
        for row in rows:
            for name in ("begin_at", "end_at"):
                row[name] = iso(millis(row[name]) + DAY)
            row["updated_at"] = iso(self._clock.stamp())
        return {"events": [row["id"] for row in rows]}

    def _sign_up(self, count: int) -> Report:
        table, coming, ids = self._world.events_users, self._coming(), []
        for user in self._students(count if coming else 0):
            mine = {row.event_id for row in table.of_user(user.id)}
            free = [row["id"] for row in coming if row["id"] not in mine]
            if free:
                stamp = self._clock.stamp()
                row = EventsUser(0, self._random.choice(free), user.id, stamp, stamp)
                table.add(row)
                ids.append(row.id)
        return {"events_users": ids}

    def _cancel_sign_up(self, count: int) -> Report:
        """Take sign-ups away: a cancellation leaves no trace, nor does the event change."""
        coming = {row["id"] for row in self._coming()}
        table = self._world.events_users
        rows = self._some([row for row in table if row.event_id in coming], count)
        for row in rows:
            table.remove(row)
        return {"events_users": [row.id for row in rows]}

    # -- milestones ------------------------------------------------------------------------

    def _start_quests(self, count: int) -> Report:
        world, ids = self._world, []
        for user in self._students(count):
            mine = {row.quest_id for row in world.quests_users.of_user(user)}
            free = [key for key in world.quests if key not in mine]
            if free:
                stamp = self._clock.stamp()
                row = QuestsUser(0, user.id, free[0], None, None, 0.0, None, stamp, stamp)
                world.quests_users.add(row)
                ids.append(row.id)
        return {"quests_users": ids}

    def _validate_quests(self, count: int) -> Report:
        relation = self._world.quests_users
        ids: list[int] = []
        pool = self._students(count * 20)
        for user in pool:
            mine = [row for row in relation.of_user(user) if row.validated_at is None]
            if mine and len(ids) < count:
                stamp = self._clock.stamp()
                ids += self._change(relation, mine[:1], validated_at=stamp, prct=100.0)
        return {"quests_users": ids}

    # -- teams -----------------------------------------------------------------------------

    def _form_teams(self, count: int) -> Report:
        """Let two to five students of a campus start a project together."""
        world, report = self._world, Report()
        for user in self._students(count):
            near = [one for one in world.based_at(user.campus_id or 0) if world.is_kept(one)]
            mates = self._some([one for one in near if one.id != user.id], 4)
            group = [user, *mates[: self._random.randrange(1, 5)]]
            taken = {row.project_id for one in group for row in world.projects_users.of_user(one)}
            free = [
                key
                for key, row in world.projects.items()
                if ANCHOR in row["cursus"] and row["slug"] is not None and key not in taken
            ]
            if not free:
                continue
            project_id = self._random.choice(free)
            rows = [new_projects_user(one.id, project_id, self._clock.stamp()) for one in group]
            world.projects_users.form(rows)
            report.setdefault("projects_users", []).extend(row.id for row in rows)
        return report

    def _groups(self, count: int, fits: Callable[[ProjectsUser], bool]) -> list[ProjectsUser]:
        """Choose a row each of groups that fit and whose members are all students."""
        world, found = self._world, dict[int, ProjectsUser]()
        while len(found) < count and (users := self._students(1)):
            mine = [
                row
                for row in world.projects_users.of_user(users[0])
                if row.teams and row.group not in found and fits(row)
            ]
            self._random.shuffle(mine)
            for row in mine:
                members = world.projects_users.members(row.group)
                if all(world.is_kept(world.users[one.user_id]) for one in members):
                    found[row.group] = row
                    break
        return list(found.values())

    def _leave_teams(self, count: int) -> Report:
        """Let one member of a team go: the team is deleted, and so is the leaver's row."""
        relation = self._world.projects_users
        report: Report = {"projects_users": []}
        rows = self._groups(
            count, lambda row: not row.marked and len(relation.members(row.group)) > 1
        )
        for row in rows:
            relation.leave(row)
            changed = relation.change_teams(
                row.group, self._clock.stamp, lambda attempts, _: attempts[:-1]
            )
            report["projects_users"] += [row.id, *changed]
        return report

    def _retry_teams(self, count: int) -> Report:
        """Let groups that are through try again."""
        relation = self._world.projects_users
        ids: list[int] = []
        for row in self._groups(count, lambda row: row.marked and row.teams < MOST_ATTEMPTS):
            ids += relation.change_teams(
                row.group,
                self._clock.stamp,
                lambda attempts, stamp: [
                    *attempts,
                    Attempt("in_progress", None, None, stamp, stamp, None),
                ],
            )
        return {"projects_users": ids}

    def _give_up_teams(self, count: int) -> Report:
        """Let groups give up: the status changes and no updated_at moves."""
        relation = self._world.projects_users
        ids: list[int] = []
        for row in self._groups(count, lambda row: not row.marked):
            ids += relation.give_up(row.group)
        return {"projects_users": ids}
