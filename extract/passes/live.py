"""A live pass: what changed since the last one, merged; nothing is deleted."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from dlt.extract import DltResource

from extract.base.errors import ApiError
from extract.listing.listing import again, batches, by_id, changed, of_parents
from extract.load.context import Pass
from extract.load.resources import cursor
from extract.passes.open_rows import open_rows, overlap, window_start
from extract.passes.students import unseen, with_campus
from extract.tables import STUDENT_KIND, TABLES, Table

OVERLAPPING_IDS = 98  # with them the newest is on a page that is not full: one call
Changes = Callable[[Any], Iterator[pa.Table]]  # what changed since where a cursor stands


def live(context: Pass) -> list[DltResource]:
    """What changed since the last live pass; nothing is deleted."""
    users = LiveUsers(context)
    there = context.raw.tables
    resources = [context.empty(t) for t in TABLES.values() if t.name not in there]
    # where users belong comes before the users
    for table in sorted(TABLES.values(), key=lambda table: not table.places_people):
        if not context.is_on(table):
            continue
        start = window_start(context, table)
        assert start is not None, "a live pass needs a full pass before it"
        if table.open_rows:
            resources += open_rows(context, table, start, every=False)
            continue
        for field in table.ranges:
            first: datetime | int | None = start
            earliest: datetime | int = start  # dlt begins no earlier, wherever its cursor stands
            lag = overlap(context, table)
            if field == "id":  # a backfill may have brought the newest one
                first, earliest = context.raw.newest(table.name, field), 0
                lag = OVERLAPPING_IDS
            if first is None:  # the backfill comes first
                continue
            rows = partial(_changed, context, table, field, first)
            if table.places_people:
                rows = partial(users.learn_campuses, rows)
            elif table.full == "students":
                rows = partial(users.of_students, rows)
            resources.append(context.resource(table.name, rows, cursor(field, earliest, lag)))
        if table.again:
            resources.append(
                context.resource(
                    table.name, partial(_again, context, table), name=f"{table.name}_again"
                )
            )
        resources += context.came_with(table.name)
    return [*resources, *users.resources()]


class LiveUsers:
    """Users that changed or moved, with their primary campus, which their own list does not say.

    The table that places people says it. When its stream is off, that one is asked of the primary
    campuses alone, and no row of it is loaded.
    """

    def __init__(self, context: Pass) -> None:
        self._context = context
        self._campus_of = context.raw.campus_of_users()
        self._listed = context.raw.keys("campus")
        self._moved: set[int] = set()
        self._done: set[int] = set()
        self._new_places: list[pa.Table] = []
        self._seen_places: set[int] = set()
        (self._users,) = (table for table in TABLES.values() if table.full == "students")
        (self._places,) = (table for table in TABLES.values() if table.places_people)
        self._are_loaded = context.is_on(self._places)
        if not self._are_loaded:
            primary = {**self._places.params, "filter[is_primary]": "true"}
            self._places = replace(self._places, params=primary)

    def learn_campuses(self, changes: Changes, cursor: Any) -> Iterator[pa.Table]:
        """The campuses of people that changed, of which note is taken."""
        for rows in changes(cursor):
            self._learn(rows)
            yield unseen(rows, self._seen_places)

    def of_students(self, changes: Changes, cursor: Any) -> Iterator[pa.Table]:
        """The students among the users that changed; new ones get their campus."""
        if not self._are_loaded:  # as long ago as the users themselves are asked for
            since = cursor.start_value
            places = partial(_changed, self._context, self._places, "updated_at", since)
            self._or_go_without(self.learn_campuses(places, cursor))
        known = self._context.raw.keys(self._users.name)
        for users in changes(cursor):
            is_student = pc.and_(
                pc.equal(users.column("kind"), STUDENT_KIND),
                pc.invert(pc.fill_null(users.column("alumni"), False)),
            )
            # somebody else's change is ours only if we have the row: then it leaves the mirror
            is_known = pc.is_in(users.column("id"), pa.array(known, pa.int64()))
            ours = users.filter(pc.or_(is_student, is_known))
            ids = ours.column("id").to_pylist()
            self._done.update(ids)
            unknown = [user for user in ids if not self._campus_of.get(user)]
            self._or_go_without(self._campuses_of(unknown))
            yield with_campus(ours, self._campus_of)

    def resources(self) -> list[DltResource]:
        """What is known when the changes are read, to stand behind them."""
        users, places = self._users.name, self._places.name
        return [
            self._context.resource(users, self._moved_users, name=f"moved_{users}"),
            self._context.resource(places, lambda: iter(self._new_places), name=f"new_{places}"),
        ]

    def _moved_users(self) -> Iterator[pa.Table]:
        """Users whose campus changed while nothing else did."""
        moved = batches(sorted(self._moved - self._done))
        listings = (by_id(self._users, ids, self._context.settings.cursus_id) for ids in moved)
        for done in self._context.listing(listings):
            yield with_campus(done.table, self._campus_of)

    def _campuses_of(self, users: list[int]) -> Iterator[pa.Table]:
        """Where new users belong."""
        cursus_id = self._context.settings.cursus_id
        listings = (of_parents(self._places, ids, cursus_id) for ids in batches(users))
        for done in self._context.listing(listings):
            self._learn(done.table)
            if self._are_loaded:
                # who moved to a campus that is not listed is asked for, and has just been read
                self._new_places.append(unseen(done.table, self._seen_places))
            yield done.table

    def _or_go_without(self, campuses: Iterator[pa.Table]) -> None:
        """Read where users belong, unless the API refuses it."""
        if self._places.name in self._context.degraded:
            return
        try:
            for _ in campuses:
                pass
        except ApiError as error:
            self._context.failed(self._places.name, error)

    def _learn(self, campuses: pa.Table) -> None:
        primary = campuses.filter(campuses.column("is_primary"))
        pairs = zip(
            primary.column("user_id").to_pylist(),
            primary.column("campus_id").to_pylist(),
            strict=True,
        )
        for user, campus in pairs:
            campus = campus if campus in self._listed else 0
            if user in self._campus_of and self._campus_of[user] != campus:
                self._moved.add(user)
            self._campus_of[user] = campus


def _changed(
    context: Pass, table: Table, field: str, first: datetime | int, cursor: Any
) -> Iterator[pa.Table]:
    # where no row was seen yet the cursor stands at the earliest
    since = first if cursor.start_value == cursor.initial_value else cursor.start_value
    listings = changed(table, field, since, context.settings.cursus_id, context.now)
    seen: set[int] = set()
    yield from (unseen(done.table, seen) for done in context.listing(listings))


def _again(context: Pass, table: Table) -> Iterator[pa.Table]:
    yield from (done.table for done in context.listing([again(table, context.settings.cursus_id)]))
