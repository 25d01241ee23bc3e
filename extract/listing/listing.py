"""What is asked of the API for a table: one listing, to be read completely."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pyarrow as pa

from extract.tables import TABLES, Row, Table
from extract.tables.table import window_of_days

# more ids in one filter are answered 502 (42-api.md section 4)
IDS_A_CALL = 100
# both bounds of a range are required in practice
FAR_FUTURE = "2100-01-01T00:00:00.000Z"
LARGEST_ID = 2**31 - 1
# a live pass reads this much again: range bounds are undocumented, clocks and commits overlap
OVERLAP = timedelta(minutes=10)
# so much of what changed is asked for at once; more may take longer than the hour's calls last
PART = timedelta(days=1)


@dataclass(frozen=True)
class Listing:
    """One listing to be read completely.

    Attributes:
        table: The raw table its rows go to.
        key: Names the listing within the table, for people and the record, e.g. `campus 1`.
        path: Endpoint below `/v2`.
        params: Filters, ranges and sort order.
        constants: Columns that the listing knows and the payload does not: `campus_id`, which is 0
            where not one campus was asked for.
        background: Leaves quota to live passes.
        must_have_rows: An empty answer is an error (a list that always has members).
        merged: Nothing is deleted by it, and what comes while it is read may wait for the next
            pass, which begins `OVERLAP` before.
        to_short_page: When X-Total fills the last page, ask for one more, in case it is wrong.
        in_flight: Most pages of this listing at once; heavy ones fill the memory.
        on_row: Told of each object as it was sent, before it is reduced to the table's columns.
        parents: The ids of a reading by parents.
    """

    table: str
    key: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, int] = field(default_factory=dict)
    page_size: int = 100
    background: bool = False
    must_have_rows: bool = False
    merged: bool = False
    to_short_page: bool = True
    in_flight: int = 100
    on_row: Callable[[Row], None] | None = None
    parents: tuple[int, ...] = ()


@dataclass(frozen=True)
class Finished:
    """A complete listing: its rows and what it took.

    Attributes:
        calls: Good answers that it took; 0 when an interrupted run had cached it.
        readings: How many times the list had to be read until it added up.
        listed: Rows that the API listed, people who are kept out included.
        missing: Optional fields of the contract that no row carried.
    """

    listing: Listing
    table: pa.Table
    calls: int
    readings: int
    finished_at: float
    listed: int = 0
    missing: Sequence[str] = ()

    def keys(self) -> list[int]:
        """The rows' first key column."""
        name = TABLES[self.listing.table].primary_key[0]
        keys: list[int] = self.table.column(name).to_pylist()
        return keys


def whole(table: Table, cursus_id: int) -> Listing:
    """Everything that the endpoint lists; of the users all students of the cursus."""
    return _listing(table, "all", cursus_id, table.students, must_have_rows=table.always_has_rows)


def of_campus(table: Table, campus_id: int, cursus_id: int) -> Listing:
    """The rows of one campus, which the payload does not name."""
    only = {table.campus_filter: str(campus_id)} if table.campus_filter else {}
    filters = {**table.students, **only}
    return _listing(table, f"campus {campus_id}", cursus_id, filters, campus=campus_id)


def of_campuses(table: Table, ids: Sequence[int], cursus_id: int) -> Listing:
    """The students of at most 100 campuses together."""
    only = {**table.students, table.campus_filter: join(ids)}
    return _listing(table, f"{len(ids)} campuses", cursus_id, only)


def of_parents(
    table: Table, ids: Sequence[int], cursus_id: int, *, background: bool = False
) -> Listing:
    """The rows of at most 100 users, or of what else the table is read by.

    Of days, those that begin or end at their borders come too.
    """
    only = {f"filter[{table.parent}]": join(ids)}
    if table.parents == "days":
        only = {f"range[{table.kept_by}]": ",".join(map(_text, window_of_days(ids)))}
    return _listing(
        table,
        f"{len(ids)} {table.parents}",
        cursus_id,
        only,
        parents=tuple(ids),
        background=background,
        # one row a user: a full page is the rule, not a sign of more
        to_short_page=table.rows_a_student != 1,
    )


def by_id(table: Table, ids: Sequence[int], cursus_id: int) -> Listing:
    """At most 100 rows by id; of the users those that are students."""
    return _listing(
        table,
        f"{len(ids)} ids",
        cursus_id,
        {**table.students, "filter[id]": join(ids)},
        to_short_page=False,  # no more rows come than are asked for
    )


def changed(
    table: Table, field: str, since: datetime | int, cursus_id: int, now: datetime | None = None
) -> list[Listing]:
    """What changed, or is new; not only of students, so that leaving is seen too.

    Args:
        now: By the API's clock. A longer time than a day comes in parts, the newest first: each is
            kept once it is read, and what changes meanwhile is newer than the first of them.
    """
    if isinstance(since, int):
        bounds = {f"range[{field}]": f"{since},{LARGEST_ID}"}
        return [_listing(table, f"from {since}", cursus_id, bounds, merged=True)]
    oldest = table.kept_from() if field == table.kept_by else None
    since = max(since, oldest or since)
    until = min(now or since, datetime.now(UTC))  # no row's wrong date makes a million parts
    starts = [since + part * PART for part in range(max(0, (until - since) // PART) + 1)]
    # bounds may be exclusive
    ends = [*(_text(start + timedelta(seconds=1)) for start in starts[1:]), FAR_FUTURE]
    return [
        _listing(
            table,
            f"since {start:%F %T}",
            cursus_id,
            {f"range[{field}]": f"{_text(start)},{end}"},
            merged=True,
        )
        for start, end in zip(reversed(starts), reversed(ends), strict=True)
    ]


def again(table: Table, cursus_id: int) -> Listing:
    """What every live pass reads whole."""
    return _listing(table, "again", cursus_id, table.again, merged=True)


def still_open(table: Table, cursus_id: int) -> Listing:
    """The rows that are not closed yet, of everybody."""
    return _listing(table, "open", cursus_id, table.open_rows, merged=True)


def batches(ids: Iterable[int], size: int = IDS_A_CALL) -> Iterator[list[int]]:
    """Lists of at most `size` ids; never an empty one (an empty filter is no filter)."""
    iterator = iter(ids)
    while batch := list(islice(iterator, size)):
        yield batch


def batches_of_parents(table: Table, ids: Iterable[int]) -> Iterator[list[int]]:
    """So many parents as `of_parents` is asked of at once: a network's day alone is many pages."""
    return batches(ids, 1 if table.parents == "days" else IDS_A_CALL)


def join(ids: Iterable[int]) -> str:
    """Ids as a filter takes them."""
    return ",".join(map(str, ids))


def _listing(
    table: Table,
    key: str,
    cursus_id: int,
    filters: Mapping[str, str],
    *,
    campus: int = 0,
    **more: Any,
) -> Listing:
    path = table.path.format(cursus=cursus_id, campus=campus)
    params = {name: value.format(cursus=cursus_id) for name, value in table.params.items()}
    if oldest := table.kept_from():
        params[f"range[{table.kept_by}]"] = f"{_text(oldest)},{FAR_FUTURE}"
    return Listing(
        table.name,
        key,
        path,
        {**params, **filters},
        constants={"campus_id": campus} if campus or table.campus_filter else {},
        page_size=table.page_size,
        in_flight=table.in_flight,
        **more,
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
