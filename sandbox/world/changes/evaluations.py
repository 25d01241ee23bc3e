"""Evaluations are booked, held, missed and cancelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sandbox.world.changes.action import Action, Report
from sandbox.world.relations.scale_teams import ScaleTeam
from sandbox.world.values import HOUR


class Evaluations(Action):
    """Evaluations are booked, held, missed and cancelled."""

    def actions(self) -> dict[str, Callable[[int], Report]]:
        """Return what can happen, by name."""
        return {
            "book_evaluations": self._book_evaluations,
            "hold_evaluations": self._hold_evaluations,
            "miss_evaluations": self._miss_evaluations,
            "cancel_evaluations": self._cancel_evaluations,
        }

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
