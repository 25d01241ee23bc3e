"""How the network lives on: edits, deletions, arrivals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle
from random import Random
from typing import Any

from sandbox.clock import Clock
from sandbox.world.changes import moves
from sandbox.world.changes.agenda import Agenda
from sandbox.world.changes.evaluations import Evaluations
from sandbox.world.changes.groups import Groups
from sandbox.world.changes.newcomers import Newcomers
from sandbox.world.changes.seats import Seats
from sandbox.world.people.users import ANCHOR, User
from sandbox.world.relations.lazy import LazyRelation
from sandbox.world.relations.projects_user import ProjectsUser
from sandbox.world.relations.table import Table
from sandbox.world.relations.teams import Attempt
from sandbox.world.values import DAY, EPOCH_MS, iso
from sandbox.world.world import World

Report = dict[str, list[Any]]
Row = Any

RELATIONS = ("projects_users", "achievements_users", "coalitions_users", "cursus_users")
FURTHER = ("campus_users", "locations", "scale_teams", "quests_users", "events_users")


class Changes:
    """Changes one world; every change has a later stamp than all before it."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._rounds = 0
        self._random = Random(0)
        self._pool: list[User] = []
        self._touched: set[int] = set()
        self._actions: dict[str, Callable[[int], Report]] = {
            "edit_with_updated_at": self._edit,
            "edit_silently": self._edit_silently,
            "delete_users": self._delete_users,
            "delete_relations": self._delete_relations,
            "recreate_relations": self._recreate_relations,
            "new_users": self._new_users,
            "new_relations": self._new_relations,
            "projects_leave": self._projects_leave,
            "close_campuses": self._close_campuses,
            "anonymise": self._anonymise,
            "transfer": self._transfer,
            "alumnise": self._alumnise,
            **{
                name: act
                for kind in (Seats, Evaluations, Agenda, Groups)
                for name, act in kind(world, clock, self._random, self._students).actions().items()
            },
        }

    @property
    def version(self) -> int:
        """Return another number after each change of the world."""
        return self._world.version

    def advance(self, wishes: dict[str, Any]) -> dict[str, Any]:
        """Change the world as asked.

        Nobody is touched twice in one call, so that each kind of change can be checked alone.

        Args:
            wishes: how many of each action; `seed` makes the choice of rows repeatable.

        Returns:
            For each action the ids by resource; a re-created row is [old id, new id].

        Raises:
            ValueError: for an action nobody knows, or a count that is not one.
        """
        counts = {name: value for name, value in wishes.items() if name != "seed"}
        unknown = counts.keys() - self._actions.keys()
        if unknown:
            actions = ", ".join(self._actions)
            raise ValueError(f"unknown actions {sorted(unknown)}; there are: {actions}")
        for name, count in counts.items():
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise ValueError(f"{name} must be a number of rows, not {count!r}")
        self._rounds += 1
        self._random.seed(f"{self._world.seed}/{wishes.get('seed', self._rounds)}")
        self._pool = [user for user in self._world.users.values() if self._world.is_kept(user)]
        self._random.shuffle(self._pool)
        self._touched.clear()
        done: dict[str, Any] = {}
        for name, count in counts.items():
            done[name] = self._actions[name](count)
            self._world.version += 1
        done["now"] = iso(self._clock.stamp())
        return done

    # -- choosing ----------------------------------------------------------------------------

    def _students(self, count: int) -> list[User]:
        """Choose students that the mirror keeps and that this call has not touched."""
        chosen: list[User] = []
        while self._pool and len(chosen) < count:
            user = self._pool.pop()
            # a campus may have closed in this very call, or a team mate's project been marked
            if self._world.is_kept(user) and user.id not in self._touched:
                chosen.append(user)
        return chosen

    def _rows_of(self, name: str, user: User) -> list[Row]:
        table = getattr(self._world, name)
        rows = table.of_user(user if isinstance(table, LazyRelation) else user.id)
        if name == "cursus_users":
            return [row for row in rows if row.cursus_id == ANCHOR]
        if name == "projects_users":
            return [row for row in rows if self._of_students(row)]
        return list(rows)

    def _of_students(self, row: ProjectsUser) -> bool:
        """Tell whether the mirror keeps every member: a marked team changes all their rows."""
        world = self._world
        mates = (world.users[one.user_id] for one in world.projects_users.members(row.group))
        return all(world.is_kept(user) and user.id not in self._touched for user in mates)

    def _relations(self, count: int, names: tuple[str, ...]) -> Iterator[tuple[str, Row]]:
        """Choose relation rows of untouched students, the tables in turn."""
        turn = cycle(names)
        name, found = next(turn), 0
        while found < count and (users := self._students(1)):
            rows = self._rows_of(name, users[0])
            if rows:
                found += 1
                yield name, self._random.choice(rows)
                name = next(turn)

    def _table(self, name: str) -> Table[Row] | LazyRelation[Row]:
        table: Table[Row] | LazyRelation[Row] = getattr(self._world, name)
        return table

    # -- edits -------------------------------------------------------------------------------

    def _edit(self, count: int) -> Report:
        """Edit rows the honest way: updated_at moves."""
        report: Report = {}
        share = -(-count // 6)
        for user in self._students(share):
            user.wallet += 25
            user.location = None if user.location else "c1r2s3"
            user.touch(self._clock.stamp())
            report.setdefault("users", []).append(user.id)
        projects = [row for row in self._world.projects.values() if ANCHOR in row["cursus"]]
        for project in self._random.sample(projects, min(count - share, share, len(projects))):
            project["difficulty"] = (project["difficulty"] or 0) + 42
            project["updated_at"] = iso(self._clock.stamp())
            report.setdefault("projects", []).append(project["id"])
        left = count - sum(map(len, report.values()))
        for name, row in self._relations(left, RELATIONS):
            changed = [row.id]
            if name == "projects_users":
                changed = self._finish_team(row)
            else:
                self._replace(name, _edited(name, row, self._clock.stamp()))
            report.setdefault(name, []).extend(changed)
        return report

    def _finish_team(self, row: ProjectsUser) -> list[int]:
        """Mark a team: the rows of all its members change."""
        relation = self._world.projects_users
        self._touched.update(one.user_id for one in relation.members(row.group))
        return relation.change_teams(row.group, self._clock.stamp, _finished)

    def _replace(self, name: str, row: Row) -> None:
        table = self._table(name)
        if isinstance(table, LazyRelation):
            table.replace(row)
        else:
            table.swap(row)

    def _edit_silently(self, count: int) -> Report:
        """Edit rows the way the real API does for a third of them: updated_at stays."""
        report: Report = {}
        kinds = ("anonymize", "active", "level", "coalition", "membership")
        for kind, _ in zip(cycle(kinds), range(count), strict=False):
            if kind == "coalition":
                coalition = self._random.choice(list(self._world.coalitions.values()))
                coalition["score"] += 7
                report.setdefault("coalitions", []).append(coalition["id"])
                continue
            if kind in ("level", "membership"):
                name = "cursus_users" if kind == "level" else "coalitions_users"
                for _, row in self._relations(1, (name,)):
                    self._replace(name, _silently(name, row))
                    report.setdefault(name, []).append(row.id)
                continue
            for user in self._students(1):
                if kind == "anonymize":
                    day = (user.anonymize_day or EPOCH_MS // DAY) + 31
                    user.anonymize_day = user.erasure_day = day
                else:
                    user.active = not user.active
                user.json = None
                report.setdefault("users", []).append(user.id)
        return report

    # -- deletions ---------------------------------------------------------------------------

    def _delete_users(self, count: int) -> Report:
        users = self._students(count)
        for user in users:
            self._world.remove_user(user)
        return {"users": [user.id for user in users]}

    def _delete_relations(self, count: int) -> Report:
        report: Report = {}
        for name, row in self._relations(count, RELATIONS[:3]):
            self._table(name).remove(row)
            report.setdefault(name, []).append(row.id)
        return report

    def _recreate_relations(self, count: int) -> Report:
        """Delete rows and put the same back under a new id, as a retried project does."""
        report: Report = {}
        for name, row in self._relations(count, RELATIONS):
            old = row.id
            self._table(name).remove(row)
            stamp = self._clock.stamp()
            again = replace(row, created_at=stamp, updated_at=stamp)
            self._table(name).add(again)
            report.setdefault(name, []).append([old, again.id])
        return report

    def delete_row(self, resource: str, row: Row) -> None:
        """Delete one row of a list for good; a project or a campus only leaves its list."""
        world = self._world
        if resource == "users":
            world.remove_user(row)
        elif resource == "projects":
            row["cursus"] = [key for key in row["cursus"] if key != ANCHOR]
        elif resource == "campus":
            row["_listed"] = False
        elif resource == "project_sessions":
            world.projects[row["project_id"]]["project_sessions"].remove(row)
        elif resource in ("achievements", "coalitions", "blocs", "events", "exams"):
            getattr(world, resource).pop(row["id"], None)
        elif resource in (*RELATIONS, *FURTHER):
            self._table(resource).remove(row)
        else:
            raise ValueError(f"rows of {resource} cannot be deleted")
        world.version += 1

    # -- arrivals ----------------------------------------------------------------------------

    def _new_users(self, count: int) -> Report:
        arrivals = Newcomers(self._world, self._clock, self._random)
        report: Report = {}
        for _ in range(count):
            arrivals.user(report)
        return report

    def _new_relations(self, count: int) -> Report:
        arrivals = Newcomers(self._world, self._clock, self._random)
        report: Report = {}
        makers = (arrivals.projects_user, arrivals.achievements_user, arrivals.coalitions_user)
        for make, user in zip(cycle(makers), self._students(count), strict=False):
            make(user, report)
        return report

    # -- people and places that move -----------------------------------------------------------

    def _projects_leave(self, count: int) -> Report:
        return moves.projects_leave(self._world, self._clock, self._random, count)

    def _close_campuses(self, count: int) -> Report:
        return moves.close_campuses(self._world, self._clock, self._random, count)

    def _anonymise(self, count: int) -> Report:
        return moves.anonymise(self._world, self._clock, self._students(count))

    def _transfer(self, count: int) -> Report:
        return moves.transfer(self._world, self._clock, self._random, self._students(count))

    def _alumnise(self, count: int) -> Report:
        return moves.alumnise(self._clock, self._students(count))


def _finished(attempts: list[Attempt], stamp: int) -> list[Attempt]:
    last = attempts[-1] if attempts else Attempt("in_progress", None, None, stamp, stamp, None)
    marked = replace(
        last,
        status="finished",
        final_mark=101 if last.final_mark != 101 else 100,
        validated=True,
        updated_at=stamp,
        closed_at=max(stamp - 3512, last.created_at),
    )
    return [*attempts[:-1], marked]


def _edited(name: str, row: Row, stamp: int) -> Row:
    if name == "achievements_users":
        return replace(row, nbr_of_success=(row.nbr_of_success or 0) + 1, updated_at=stamp)
    if name == "coalitions_users":
        return replace(row, score=row.score + 40, updated_at=stamp)
    return replace(row, level=row.level + 0.37, grade="Member", updated_at=stamp)


def _silently(name: str, row: Row) -> Row:
    if name == "cursus_users":
        return replace(row, level=row.level + 0.1)
    return replace(row, score=row.score + 3, rank=row.rank + 1)
