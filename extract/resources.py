"""The dlt source: one resource per raw table, each fed by complete walks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dlt.extract import DltResource

from extract import endpoints
from extract.contract import CONTRACTS, UNKNOWN_FIELDS, Contract, unknown_fields
from extract.erase import ANONYMISED_LOGIN, is_kept_out
from extract.errors import BudgetSpent, DeletionGuard
from extract.raw import Raw, delete_scope_condition
from extract.record import Record
from extract.settings import Settings
from extract.walks import Finished, Walk, Walker

# a live pass reads this much again: range bounds are undocumented, clocks and commits overlap
OVERLAP = timedelta(minutes=10)
LIVE_RELATIONS = (
    "cursus_users",
    "projects_users",
    "achievements_users",
    "coalitions_users",
)


@dataclass
class Pass:
    """What the resources of one pass share.

    Attributes:
        campus_ids: Only these campuses; None for all.
        scope: Per table, the scope values that were read completely: what the load may delete.
        finished: Walks whose rows are in the load, to be dropped from the store after it.
        report: Told a sentence that a person should read.
        gone: Users of raw whom the API no longer lists; `anonymised` of them are to be erased.
        kept_out: Hashes of people who were erased on request (see extract/erase.py).
        stopped: Why a backfill pass ended before its last batch (the budget).
    """

    settings: Settings
    walker: Walker
    raw: Raw
    record: Record
    campus_ids: Collection[int] | None = None
    report: Callable[[str], None] = lambda sentence: None
    scope: dict[str, Collection[int]] = field(default_factory=dict)
    finished: list[Walk] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    campuses: pa.Table | None = None
    students: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    anonymised: set[int] = field(default_factory=set)
    kept_out: frozenset[str] = frozenset()

    def walk(self, walks: Iterable[Walk], *, keep: bool = True) -> Iterator[Finished]:
        """Finish the walks; record each, report drift, leave out people who were erased."""
        for read in self.walker.finish(iter(walks), keep):
            done = replace(read, table=self._without_erased(read))
            self.finished.append(done.walk)
            self.record.walk(done)
            self.rows[done.walk.table] += done.table.num_rows
            fresh = self.record.drift(done.walk.table, "unknown", unknown_fields(done.table))
            if fresh:
                self.report(
                    f"{done.walk.path} sends fields that the mirror does not know yet: "
                    f"{', '.join(fresh)}. They are kept in raw.{done.walk.table}.{UNKNOWN_FIELDS}."
                )
            gone = self.record.drift(done.walk.table, "missing", done.missing)
            if gone:
                self.report(
                    f"{done.walk.path} no longer sends fields that the mirror keeps: "
                    f"{', '.join(gone)}. They are null in raw.{done.walk.table} from now on."
                )
            yield done

    def _without_erased(self, done: Finished) -> pa.Table:
        column = {"users": "id"}.get(done.walk.table, "user_id")
        if not self.kept_out or column not in done.table.schema.names:
            return done.table
        if done.walk.table == "coalitions":  # its user_id is the coalition's master
            return done.table
        users = done.table.column(column).to_pylist()
        ours = [not is_kept_out(user, self.kept_out) for user in users]
        return done.table.filter(pa.array(ours, pa.bool_()))

    def drop_finished(self) -> None:
        """Forget the kept walks: their rows are loaded."""
        self.walker.forget(self.finished)

    def check_gone(self, table: str, known: set[int], gone: set[int]) -> None:
        """Stop a pass that would delete too much.

        Raises:
            DeletionGuard: More than `max_delete_fraction` of the rows and `min_guarded_rows`.
        """
        settings = self.settings
        limit = max(settings.min_guarded_rows, settings.max_delete_fraction * len(known))
        if len(gone) > limit and not settings.allow_deletes:
            raise DeletionGuard(
                f"The API no longer lists {len(gone)} of the {len(known)} rows that raw.{table} "
                f"has, more than MAX_DELETE_FRACTION={settings.max_delete_fraction:g} allows. "
                "Nothing was loaded or published. If the rows are really gone (look at the API), "
                "confirm with ALLOW_DELETES=1 for one run."
            )


def full(context: Pass) -> list[DltResource]:
    """Everything that a full pass reads: reference tables, students, their cursus_users."""
    reference = [
        _resource(table, lambda table=table: _reference(context, table))
        for table in endpoints.REFERENCE
    ]
    if context.campus_ids is not None:
        reference = reference[:2]
    else:
        reference.append(_resource("campus_achievements", lambda: _campus_achievements(context)))
    return [
        *reference,
        _resource("users", lambda: _users(context)),
        _resource("cursus_users", lambda: _cursus_users(context)),
        *_missing_tables(context, exclude=("users", "cursus_users")),
    ]


def live(context: Pass) -> list[DltResource]:
    """What changed since the last live pass; nothing is deleted."""
    newest = context.raw.newest_update("users")
    assert newest is not None, "a live pass needs a full pass before it"
    # only the first live pass starts here: before the oldest page of the full pass under it
    initial = newest - context.raw.length_of_users_pass() - OVERLAP
    changes = LiveUsers(context)
    moved = _cursor(initial)
    changed = _cursor(initial)
    resources = [
        _resource("campus_users", lambda updated_at=moved: changes.moved(updated_at), moved),
        _resource("users", lambda updated_at=changed: changes.users(updated_at), changed),
        _resource("users", changes.moved_users, name="moved_users"),
        _resource("campus_users", changes.new_campus_users, name="new_campus_users"),
    ]
    for table in LIVE_RELATIONS:
        first_read = context.raw.first_relation_read(table)
        cursor = _cursor(min(initial, first_read - OVERLAP) if first_read else initial)
        resources.append(
            _resource(
                table,
                lambda updated_at=cursor, table=table: _changed(context, table, updated_at),
                cursor,
            )
        )
    return resources


def relations(context: Pass, table: str, groups: Sequence[Sequence[int]]) -> list[DltResource]:
    """The complete rows of some users in one big relation table."""

    def rows() -> Iterator[pa.Table]:
        walks = (
            endpoints.relation_walk(table, ids, context.settings.cursus_id, background=True)
            for ids in groups
        )
        read: list[int] = []
        context.scope[table] = read
        # an empty page first: students without a row left are deleted too
        yield CONTRACTS[table].schema().empty_table()
        try:
            for done in context.walk(walks):
                ids = [int(user) for user in done.walk.params["filter[user_id]"].split(",")]
                known = context.raw.keys(table, ids)
                context.check_gone(table, known, known - set(done.keys()))
                read.extend(ids)
                yield done.table
        except BudgetSpent as error:
            context.stopped = str(error)

    return [_resource(table, rows)]


def _resource(
    table: str,
    rows: Callable[..., Iterator[pa.Table]],
    cursor: Any = None,
    name: str | None = None,
) -> DltResource:
    """A dlt resource by the table's contract.

    `cdc` merges and deletes what the scope condition allows; without a scope it deletes nothing.
    """
    contract = CONTRACTS[table]

    def pages(updated_at: Any = cursor) -> Iterator[pa.Table]:
        yield from rows() if updated_at is None else rows(updated_at)

    return dlt.resource(
        pages,
        name=name or table,
        table_name=table,
        columns=_hints(contract),
        primary_key=contract.primary_key,
        write_disposition={
            "disposition": "merge",
            "strategy": "cdc",
            "skip_unchanged_rows": True,
            "destination_scope": delete_scope_condition(table),
        },
    )


def _hints(contract: Contract) -> dict[str, Any]:
    hints: dict[str, Any] = {
        column.name: {"data_type": column.data_type, "nullable": not column.not_null}
        for column in contract.columns
    }
    hints[UNKNOWN_FIELDS] = {"data_type": "json"}
    if len(contract.primary_key) == 1:
        # a real unique constraint: no path can load a row twice
        hints[contract.primary_key[0]]["unique"] = True
    return hints


def _cursor(initial: datetime) -> Any:
    return dlt.sources.incremental("updated_at", initial_value=initial, lag=OVERLAP.total_seconds())


def _missing_tables(context: Pass, exclude: Collection[str]) -> list[DltResource]:
    """An empty page for each table that no pass has created yet, so that dbt finds all."""

    def empty(table: str) -> Iterator[pa.Table]:
        yield CONTRACTS[table].schema().empty_table()

    there = {*context.raw.tables, *exclude, *endpoints.REFERENCE, "campus_achievements"}
    missing = [table for table in CONTRACTS if table not in there]
    return [_resource(table, lambda table=table: empty(table)) for table in missing]


def _reference(context: Pass, table: str) -> Iterator[pa.Table]:
    known = context.raw.keys(table)
    walk = endpoints.reference_walk(table, context.settings.cursus_id)
    for done in context.walk([walk]):
        context.check_gone(table, known, known - set(done.keys()))
        context.scope[table] = known
        if table == "campus":
            context.campuses = done.table
        yield done.table


def _campus_achievements(context: Pass) -> Iterator[pa.Table]:
    """Only campuses whose name another one shares: achievements name campuses, not ids."""
    assert context.campuses is not None
    ids = context.campuses.column("id").to_pylist()
    names = context.campuses.column("name").to_pylist()
    shared = {name for name, count in Counter(names).items() if count > 1}
    walks = [
        endpoints.campus_achievements_walk(campus_id)
        for campus_id, name in zip(ids, names, strict=True)
        if name in shared
    ]
    context.scope["campus_achievements"] = context.raw.scope_values("campus_achievements")
    # an empty page first: no shared name left means that all pairs go
    yield CONTRACTS["campus_achievements"].schema().empty_table()
    yield from (done.table for done in context.walk(walks))


def _users(context: Pass) -> Iterator[pa.Table]:
    """The students, a campus at a time; a row that is missing is asked for by its id."""
    assert context.campuses is not None
    listed = set(context.campuses.column("id").to_pylist())
    chosen = listed if context.campus_ids is None else listed & set(context.campus_ids)
    scope = context.raw.scope_values("users") | listed
    if context.campus_ids is not None:
        scope = chosen
    known = context.raw.keys("users", scope)
    seen: set[int] = set()
    walks = (
        endpoints.campus_students_walk(campus_id, context.settings.cursus_id)
        for campus_id in sorted(chosen)
    )
    for done in context.walk(walks):
        yield _unseen(done.table, seen)
    yield from _confirm(context, "users", known, seen)
    context.scope["users"] = scope
    context.students = sorted(seen)
    context.gone = sorted(known - seen)


def _confirm(context: Pass, table: str, known: set[int], seen: set[int]) -> Iterator[pa.Table]:
    """Ask for the rows that are about to go: a walk alone is no proof that they are gone."""
    missing = sorted(known - seen)
    context.check_gone(table, known, set(missing))
    if not missing:
        return
    campus_of = context.raw.campus_of_users()
    walks = (
        endpoints.users_by_id_walk(ids, campus_of, context.settings.cursus_id)
        for ids in endpoints.batches(missing)
    )
    for done in context.walk(walks):
        yield _unseen(done.table, seen)


def _cursus_users(context: Pass) -> Iterator[pa.Table]:
    students = context.students
    scope: set[int] = set(students)
    if context.campus_ids is None:
        scope |= context.raw.scope_values("cursus_users")
    known = context.raw.keys("cursus_users", scope)
    seen: set[int] = set()
    walks = (
        endpoints.relation_walk("cursus_users", ids, context.settings.cursus_id)
        for ids in endpoints.batches(students)
    )
    for done in context.walk(walks):
        yield _unseen(done.table, seen)
    _look_for_anonymised(context)
    # users that left take their rows along: only rows of present users need the guard's word
    context.check_gone("cursus_users", known, known - seen)
    context.scope["cursus_users"] = scope


def _look_for_anonymised(context: Pass) -> None:
    """Who left may have been anonymised: then only nested copies tell (42-api.md section 6)."""

    def note(row: dict[str, Any]) -> dict[str, Any]:
        user = row.get("user")
        if isinstance(user, dict) and str(user.get("login", "")).startswith(ANONYMISED_LOGIN):
            context.anonymised.add(user.get("id", 0))
        return row

    walks = (
        replace(
            endpoints.relation_walk("cursus_users", ids, context.settings.cursus_id),
            change_row=note,
        )
        for ids in endpoints.batches(context.gone)
    )
    # not kept: reading a kept walk would tell nothing of the nested copies
    for _ in context.walk(walks, keep=False):
        pass


class LiveUsers:
    """Users that changed or moved, with their primary campus."""

    def __init__(self, context: Pass) -> None:
        self._context = context
        self._cursus_id = context.settings.cursus_id
        self._campus_of = context.raw.campus_of_users()
        self._moved: set[int] = set()
        self._done: set[int] = set()
        self._new_campus_users: list[pa.Table] = []

    def moved(self, updated_at: Any) -> Iterator[pa.Table]:
        """Primary campuses that changed."""
        walk = endpoints.changed_relations_walk(
            "campus_users", updated_at.start_value, self._cursus_id
        )
        for done in self._context.walk([walk]):
            self._learn(done.table)
            yield done.table

    def users(self, updated_at: Any) -> Iterator[pa.Table]:
        """Users that changed; new ones get their campus."""
        known = self._context.raw.keys("users")
        walk = endpoints.changed_users_walk(
            updated_at.start_value, self._campus_of, self._cursus_id
        )
        for done in self._context.walk([walk]):
            table = done.table
            ids = table.column("id").to_pylist()
            student = pc.and_(
                pc.equal(table.column("kind"), "student"),
                pc.invert(pc.fill_null(table.column("alumni"), False)),
            ).to_pylist()
            # somebody else's change is ours only if we have the row: then it leaves the mirror
            ours = [s or i in known for s, i in zip(student, ids, strict=True)]
            table = table.filter(pa.array(ours, pa.bool_()))
            yield self._with_campus(table)

    def moved_users(self) -> Iterator[pa.Table]:
        """Users whose campus changed while nothing else did."""
        moved = sorted(self._moved - self._done)
        walks = (
            endpoints.users_by_id_walk(ids, self._campus_of, self._cursus_id)
            for ids in endpoints.batches(moved)
        )
        yield from (done.table for done in self._context.walk(walks))

    def new_campus_users(self) -> Iterator[pa.Table]:
        """Where the new users belong (read for `users`)."""
        yield from self._new_campus_users

    def _with_campus(self, table: pa.Table) -> pa.Table:
        ids = table.column("id").to_pylist()
        self._done.update(ids)
        unknown = [user for user in ids if not self._campus_of.get(user)]
        walks = (
            endpoints.relation_walk("campus_users", batch, self._cursus_id)
            for batch in endpoints.batches(unknown)
        )
        for done in self._context.walk(walks):
            self._learn(done.table)
            self._new_campus_users.append(done.table)
        campus = pa.array([self._campus_of.get(user, 0) for user in ids], pa.int64())
        index = table.schema.get_field_index("campus_id")
        # nobody without a primary campus can be published: the next full pass will know
        return table.set_column(index, "campus_id", campus).filter(pc.not_equal(campus, 0))

    def _learn(self, table: pa.Table) -> None:
        pairs = zip(
            table.column("user_id").to_pylist(),
            table.column("campus_id").to_pylist(),
            strict=True,
        )
        for user, campus in pairs:
            if user in self._campus_of and self._campus_of[user] != campus:
                self._moved.add(user)
            if campus is not None:
                self._campus_of[user] = campus


def _changed(context: Pass, table: str, updated_at: Any) -> Iterator[pa.Table]:
    walk = endpoints.changed_relations_walk(
        table, updated_at.start_value, context.settings.cursus_id
    )
    yield from (done.table for done in context.walk([walk]))


def _unseen(table: pa.Table, seen: set[int]) -> pa.Table:
    """The rows whose id no earlier walk of the pass had (a user who moved in mid-pass)."""
    ids = table.column("id").to_pylist()
    fresh = [i not in seen for i in ids]
    seen.update(ids)
    return table if all(fresh) else table.filter(pa.array(fresh, pa.bool_()))
