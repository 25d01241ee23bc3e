"""A live pass: what changed since the last one, merged; nothing is deleted."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dlt.extract import DltResource

from extract.base.errors import ApiError
from extract.listing.listing import OVERLAP, again, batches, by_id, changed, of_parents
from extract.load.context import Pass
from extract.passes.open_rows import open_rows, window_start
from extract.passes.students import unseen, with_campus
from extract.tables import STUDENT_KIND, TABLES, Table

OVERLAPPING_IDS = 98  # with them the newest is on a page that is not full: one call


def live(context: Pass) -> list[DltResource]:
    """What changed since the last live pass; nothing is deleted."""
    changes = LiveUsers(context)
    read = {"campus_users": changes.moved, "users": changes.users}
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
            lag = OVERLAP.total_seconds()
            if field == "id":  # a backfill may have brought the newest one
                first, earliest = context.raw.newest(table.name, field), 0
                lag = OVERLAPPING_IDS
            if first is None:  # the backfill comes first
                continue
            cursor = dlt.sources.incremental(field, initial_value=earliest, lag=lag)
            rows = read.get(table.name, partial(_changed, context, table, field, first))
            resources.append(context.resource(table.name, rows, cursor))
        if table.again:
            resources.append(
                context.resource(
                    table.name, partial(_again, context, table), name=f"{table.name}_again"
                )
            )
        resources += context.came_with(table.name)
    return [
        *resources,
        context.resource("users", changes.moved_users, name="moved_users"),
        context.resource("campus_users", changes.new_campus_users, name="new_campus_users"),
    ]


class LiveUsers:
    """Users that changed or moved, with their primary campus.

    Where they belong is asked of campus_users. When its stream is off, that is so of the primary
    campuses alone, and no row of it is loaded.
    """

    def __init__(self, context: Pass) -> None:
        self._context = context
        self._cursus_id = context.settings.cursus_id
        self._campus_of = context.raw.campus_of_users()
        self._listed = context.raw.keys("campus")
        self._moved: set[int] = set()
        self._done: set[int] = set()
        self._new_campus_users: list[pa.Table] = []
        self._campus_users = TABLES["campus_users"]
        self._is_loaded = context.is_on(self._campus_users)
        if not self._is_loaded:
            primary = {**self._campus_users.params, "filter[is_primary]": "true"}
            self._campus_users = replace(self._campus_users, params=primary)

    def moved(self, updated_at: Any) -> Iterator[pa.Table]:
        """Campuses of people that changed."""
        yield from self._moved_since(updated_at.start_value)

    def _moved_since(self, since: datetime) -> Iterator[pa.Table]:
        listings = changed(self._campus_users, "updated_at", since, self._cursus_id)
        for done in self._context.listing(listings):
            self._learn(done.table)
            yield done.table

    def users(self, updated_at: Any) -> Iterator[pa.Table]:
        """Users that changed; new ones get their campus."""
        if not self._is_loaded and "campus_users" not in self._context.degraded:
            try:  # as long ago as the users themselves are asked for
                list(self._moved_since(updated_at.start_value))
            except ApiError as error:
                self._context.failed("campus_users", error)
        known = self._context.raw.keys("users")
        (listing,) = changed(TABLES["users"], "updated_at", updated_at.start_value, self._cursus_id)
        listing = replace(listing, change_row=with_campus(self._campus_of))
        for done in self._context.listing([listing]):
            table = done.table
            ids = table.column("id").to_pylist()
            student = pc.and_(
                pc.equal(table.column("kind"), STUDENT_KIND),
                pc.invert(pc.fill_null(table.column("alumni"), False)),
            ).to_pylist()
            # somebody else's change is ours only if we have the row: then it leaves the mirror
            ours = [s or i in known for s, i in zip(student, ids, strict=True)]
            table = table.filter(pa.array(ours, pa.bool_()))
            yield self._with_campus(table)

    def moved_users(self) -> Iterator[pa.Table]:
        """Users whose campus changed while nothing else did."""
        moved = sorted(self._moved - self._done)
        listings = (
            replace(
                by_id(TABLES["users"], ids, self._cursus_id),
                change_row=with_campus(self._campus_of),
            )
            for ids in batches(moved)
        )
        yield from (done.table for done in self._context.listing(listings))

    def new_campus_users(self) -> Iterator[pa.Table]:
        """Where the new users belong (read for `users`)."""
        yield from self._new_campus_users if self._is_loaded else ()

    def _with_campus(self, table: pa.Table) -> pa.Table:
        ids = table.column("id").to_pylist()
        self._done.update(ids)
        unknown = [user for user in ids if not self._campus_of.get(user)]
        try:
            self._ask_for_campuses(unknown)
        except ApiError as error:
            self._context.failed("campus_users", error)
        campus = pa.array([self._campus_of.get(user, 0) for user in ids], pa.int64())
        index = table.schema.get_field_index("campus_id")
        return table.set_column(index, "campus_id", campus)

    def _ask_for_campuses(self, users: list[int]) -> None:
        if "campus_users" in self._context.degraded:
            return
        listings = (
            of_parents(self._campus_users, batch, self._cursus_id) for batch in batches(users)
        )
        for done in self._context.listing(listings):
            self._learn(done.table)
            self._new_campus_users.append(done.table)

    def _learn(self, table: pa.Table) -> None:
        table = table.filter(table.column("is_primary"))
        pairs = zip(
            table.column("user_id").to_pylist(), table.column("campus_id").to_pylist(), strict=True
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
