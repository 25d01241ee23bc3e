"""A full pass: reference tables, students, their cursus_users; deletions included."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pyarrow as pa
from dlt.extract import DltResource

from extract.listing.listing import batches, of_campus, of_parents, whole
from extract.load.context import Pass
from extract.passes.open_rows import open_rows, window_start
from extract.passes.students import students, unseen
from extract.people.erase import ANONYMISED_LOGIN
from extract.tables import TABLES, Row, Table


def full(context: Pass) -> list[DltResource]:
    """Every table that a full pass reads; an empty one where another pass will be the first."""
    readings: dict[str, Callable[[Pass, Table], Iterator[pa.Table]]] = {
        "whole": _whole,
        "campuses": _campuses,
        "by campus": _by_campus,
        "students": students,
        "by students": _by_students,
    }
    there = context.raw.tables
    resources = []
    for table in TABLES.values():
        # of some campuses only the people are read, once the rest is there
        wanted = context.campus_ids is None or table.person or table.full == "campuses"
        if wanted and table.full and context.is_on(table):
            if table.full == "open rows":
                resources += open_rows(context, table, window_start(context, table), every=True)
                continue
            read = readings[table.full]
            resources.append(
                context.resource(table.name, lambda read=read, table=table: read(context, table))
            )
        elif table.name not in there:
            resources.append(context.empty(table))
    return resources


def _whole(context: Pass, table: Table) -> Iterator[pa.Table]:
    known = context.raw.keys(table.name)
    for done in context.listing([whole(table, context.settings.cursus_id)]):
        context.check_gone(table.name, len(known - set(done.keys())))
        context.scope[table.name] = known
        yield done.table


def _campuses(context: Pass, table: Table) -> Iterator[pa.Table]:
    for rows in _whole(context, table):
        context.campuses = rows
        yield rows


def _by_campus(context: Pass, table: Table) -> Iterator[pa.Table]:
    assert context.campuses is not None
    ids = context.campuses.column("id").to_pylist()
    names = context.campuses.column("name").to_pylist()
    count = Counter(names)
    listings = [
        of_campus(table, campus_id, context.settings.cursus_id)
        for campus_id, name in zip(ids, names, strict=True)
        if table.campuses == "every" or count[name] > 1
    ]
    context.scope[table.name] = context.raw.scope_values(table.name)
    # an empty page first: without a campus to ask, every row goes
    yield table.schema().empty_table()
    yield from (done.table for done in context.listing(listings))


def _by_students(context: Pass, table: Table) -> Iterator[pa.Table]:
    scope: set[int] = set(context.students)
    if context.campus_ids is None:
        scope |= context.raw.scope_values(table.name)
    known = context.raw.keys(table.name, scope)
    seen: set[int] = set()
    listings = (
        of_parents(table, ids, context.settings.cursus_id) for ids in batches(context.students)
    )
    for done in context.listing(listings):
        yield unseen(done.table, seen)
    _look_for_anonymised(context, table)
    context.check_gone(table.name, len(known - seen))
    context.scope[table.name] = scope


def _look_for_anonymised(context: Pass, table: Table) -> None:
    """Who left may have been anonymised: then only nested copies tell (42-api.md section 6)."""

    def note(row: Row) -> None:
        user = row.get("user")
        if isinstance(user, dict) and str(user.get("login", "")).startswith(ANONYMISED_LOGIN):
            context.anonymised.add(user.get("id", 0))

    listings = (
        replace(of_parents(table, ids, context.settings.cursus_id), on_row=note)
        for ids in batches(context.gone)
    )
    # not cached: reading a cached listing would tell nothing of the nested copies
    for _ in context.listing(listings, cache=False):
        pass
