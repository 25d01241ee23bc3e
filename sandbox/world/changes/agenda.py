"""Events come and change, people sign up, and reach milestones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.world.changes.action import Action, Report
from sandbox.world.relations import agenda
from sandbox.world.relations.agenda import EventsUser
from sandbox.world.relations.quests import QuestsUser
from sandbox.world.values import DAY, HOUR, iso, millis


class Agenda(Action):
    """Events come and change, people sign up, and reach milestones."""

    def actions(self) -> dict[str, Callable[[int], Report]]:
        """Return what can happen, by name."""
        return {
            "new_events": self._new_events,
            "edit_events": self._edit_events,
            "sign_up": self._sign_up,
            "cancel_sign_up": self._cancel_sign_up,
            "start_quests": self._start_quests,
            "validate_quests": self._validate_quests,
        }

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
