"""A full pass: reference tables, students, their cursus_users; deletions included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
from dlt.extract import DltResource

from extract.load.resources import resource
from extract.passes.context import Pass
from extract.people.erase import ANONYMISED_LOGIN
from extract.tables import endpoints
from extract.tables.contract import CONTRACTS


def full(context: Pass) -> list[DltResource]:
    """Everything that a full pass reads: reference tables, students, their cursus_users."""
    reference = [
        resource(table, lambda table=table: _reference(context, table))
        for table in endpoints.REFERENCE
    ]
    if context.campus_ids is not None:
        reference = reference[:2]
    else:
        reference.append(resource("campus_achievements", lambda: _campus_achievements(context)))
    return [
        *reference,
        resource("users", lambda: _users(context)),
        resource("cursus_users", lambda: _cursus_users(context)),
        *_missing_tables(context, exclude=("users", "cursus_users")),
    ]


def _missing_tables(context: Pass, exclude: Collection[str]) -> list[DltResource]:
    """An empty page for each table that no pass has created yet, so that dbt finds all."""

    def empty(table: str) -> Iterator[pa.Table]:
        yield CONTRACTS[table].schema().empty_table()

    there = {*context.raw.tables, *exclude, *endpoints.REFERENCE, "campus_achievements"}
    missing = [table for table in CONTRACTS if table not in there]
    return [resource(table, lambda table=table: empty(table)) for table in missing]


def _reference(context: Pass, table: str) -> Iterator[pa.Table]:
    known = context.raw.keys(table)
    listing = endpoints.reference_listing(table, context.settings.cursus_id)
    for done in context.listing([listing]):
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
    listings = [
        endpoints.campus_achievements_listing(campus_id)
        for campus_id, name in zip(ids, names, strict=True)
        if name in shared
    ]
    context.scope["campus_achievements"] = context.raw.scope_values("campus_achievements")
    # an empty page first: no shared name left means that all pairs go
    yield CONTRACTS["campus_achievements"].schema().empty_table()
    yield from (done.table for done in context.listing(listings))


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
    listings = (
        endpoints.campus_students_listing(campus_id, context.settings.cursus_id)
        for campus_id in sorted(chosen)
    )
    for done in context.listing(listings):
        yield _unseen(done.table, seen)
    yield from _confirm(context, "users", known, seen)
    context.scope["users"] = scope
    context.students = sorted(seen)
    context.gone = sorted(known - seen)


def _confirm(context: Pass, table: str, known: set[int], seen: set[int]) -> Iterator[pa.Table]:
    """Ask for the rows that are about to go: a listing alone is no proof that they are gone."""
    missing = sorted(known - seen)
    context.check_gone(table, known, set(missing))
    if not missing:
        return
    campus_of = context.raw.campus_of_users()
    listings = (
        endpoints.users_by_id_listing(ids, campus_of, context.settings.cursus_id)
        for ids in endpoints.batches(missing)
    )
    for done in context.listing(listings):
        yield _unseen(done.table, seen)


def _cursus_users(context: Pass) -> Iterator[pa.Table]:
    students = context.students
    scope: set[int] = set(students)
    if context.campus_ids is None:
        scope |= context.raw.scope_values("cursus_users")
    known = context.raw.keys("cursus_users", scope)
    seen: set[int] = set()
    listings = (
        endpoints.relation_listing("cursus_users", ids, context.settings.cursus_id)
        for ids in endpoints.batches(students)
    )
    for done in context.listing(listings):
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

    listings = (
        replace(
            endpoints.relation_listing("cursus_users", ids, context.settings.cursus_id),
            change_row=note,
        )
        for ids in endpoints.batches(context.gone)
    )
    # not kept: reading a cached listing would tell nothing of the nested copies
    for _ in context.listing(listings, keep=False):
        pass


def _unseen(table: pa.Table, seen: set[int]) -> pa.Table:
    """The rows whose id no earlier listing of the pass had (a user who moved in mid-pass)."""
    ids = table.column("id").to_pylist()
    fresh = [i not in seen for i in ids]
    seen.update(ids)
    return table if all(fresh) else table.filter(pa.array(fresh, pa.bool_()))
