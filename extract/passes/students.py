"""The students of a full pass, a campus at a time, and complete over all campuses."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

import pyarrow as pa

from extract.base.errors import IncompleteListing
from extract.listing.listing import (
    IDS_A_CALL,
    Listing,
    batches,
    by_id,
    of_campus,
    of_campuses,
    whole,
)
from extract.listing.reader import READINGS
from extract.load.context import Pass
from extract.tables import TABLES, Table

Listed = dict[int, tuple[int, list[int]]]  # of a campus: how many the API listed, and whom


def students(context: Pass, table: Table) -> Iterator[pa.Table]:
    """The students; one that a listing no longer has is asked for by id before it goes.

    Raises:
        IncompleteListing: The campuses do not add up to the cursus' own total.
    """
    assert context.campuses is not None
    listed = set(context.campuses.column("id").to_pylist())
    chosen = listed if context.campus_ids is None else listed & set(context.campus_ids)
    scope = context.raw.scope_values(table.name) | listed
    if context.campus_ids is not None:
        scope = chosen
    known = context.raw.keys(table.name, scope)
    seen: set[int] = set()
    campuses: Listed = {}
    yield from _of_campuses(context, table, chosen, campuses, seen)
    if context.campus_ids is None:
        yield from _complete(context, table, campuses, seen)
    missing = sorted(known - seen)
    context.check_gone(table.name, len(missing))
    campus_of = context.raw.campus_of_users() if missing else {}
    still = {user: campus for user, campus in campus_of.items() if campus in listed}
    listings = (by_id(table, ids, context.settings.cursus_id) for ids in batches(missing))
    for done in context.listing(listings):
        yield unseen(with_campus(done.table, still), seen)
    context.scope[table.name] = scope
    context.students = sorted(seen)
    others = [other for other in TABLES.values() if other.full == "by students"]
    context.plan({other.name: other.pages(len(seen)) for other in others})
    context.gone = sorted(known - seen)


def with_campus(users: pa.Table, campus_of: Mapping[int, int]) -> pa.Table:
    """Users with the listed campus that is known of each, else 0: the payload has none."""
    campuses = [campus_of.get(user, 0) for user in users.column("id").to_pylist()]
    place = users.schema.get_field_index("campus_id")
    return users.set_column(place, "campus_id", pa.array(campuses, pa.int64()))


def unseen(table: pa.Table, seen: set[int]) -> pa.Table:
    """The rows whose id no earlier listing of the pass had (a user who moved in mid-pass)."""
    ids = table.column("id").to_pylist()
    fresh = [i not in seen for i in ids]
    seen.update(ids)
    return table if all(fresh) else table.filter(pa.array(fresh, pa.bool_()))


def _of_campuses(
    context: Pass,
    table: Table,
    ids: Collection[int],
    campuses: Listed,
    seen: set[int],
    *,
    cache: bool = True,
) -> Iterator[pa.Table]:
    cursus_id = context.settings.cursus_id
    listings = (of_campus(table, campus, cursus_id) for campus in sorted(ids))
    for done in context.listing(listings, cache=cache):
        campuses[done.listing.constants["campus_id"]] = done.listed, done.keys()
        yield unseen(done.table, seen)


def _complete(context: Pass, table: Table, campuses: Listed, seen: set[int]) -> Iterator[pa.Table]:
    """Hold the campuses against the cursus' own total, and read who is at no listed campus.

    That total costs one call; whoever is elsewhere is asked for in the cheapest way first. Who is
    listed at two campuses is one student: both may be primary.
    """
    total_of, cursus_id = context.total, context.settings.cursus_id
    ways = _elsewhere(context, table, campuses, seen)
    elsewhere = 0
    for _ in range(READINGS):
        counts = {campus: count for campus, (count, _) in campuses.items()}
        rows, total = sum(counts.values()), total_of(whole(table, cursus_id))
        keys = Counter(key for _, whom in campuses.values() for key in whom)
        found = rows - keys.total() + len(keys)
        if total is None or total == found + elsewhere:
            return
        totals = [total_of(of_campuses(table, ids, cursus_id)) for ids in batches(sorted(counts))]
        listed = sum(some or 0 for some in totals)
        if listed not in (found, rows):  # somebody came, went or moved since the campus was read
            moved = [
                campus
                for campus, count in counts.items()
                if total_of(of_campus(table, campus, cursus_id)) != count
            ]
            yield from _of_campuses(context, table, moved, campuses, seen, cache=False)
            continue
        everybody = False
        for done in context.listing(next(ways), cache=False):
            elsewhere += done.listed
            everybody = done.listed == total
            yield unseen(done.table, seen)
        if everybody or total == found + elsewhere:
            return
    empty = [str(campus) for campus, count in counts.items() if not count]
    raise IncompleteListing(
        f"The students of the {len(counts)} campuses add up to {found}, but the API counts "
        f"{listed} at these campuses and {total} in the cursus, in {READINGS} readings. Campuses "
        f"without a student: {', '.join(empty) or 'none'}. Nothing was loaded. Run the same "
        "command again; if it stays, one of these campuses is not listed as it should be."
    )


def _elsewhere(
    context: Pass, table: Table, counts: Collection[int], seen: set[int]
) -> Iterator[list[Listing]]:
    """Ways to read the students of no listed campus, each dearer and surer than the one before."""
    cursus_id = context.settings.cursus_id
    # campuses that are not listed have numbers like those that are
    others = sorted(set(range(1, max(counts, default=0) + IDS_A_CALL)) - set(counts))
    yield [of_campuses(table, ids, cursus_id) for ids in batches(others)]
    campus_of = context.raw.campus_of_users()
    known = {user for user, campus in campus_of.items() if campus not in counts} - seen
    yield [by_id(table, ids, cursus_id) for ids in batches(sorted(known))]
    while True:
        yield [whole(table, cursus_id)]
