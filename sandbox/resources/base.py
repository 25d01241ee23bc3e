"""What a resource is: its rows, its rules, its rendering."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any

import orjson

from sandbox.api import errors
from sandbox.api.query import Column, Query, Rules, check, select
from sandbox.world.values import millis

Row = Any
Test = Callable[[Row], bool]


@dataclass(frozen=True)
class Resource:
    """One kind of row the API serves.

    Attributes:
        name: the word in the address.
        rules: what can be sorted, filtered, ranged.
        rows: candidate rows; may already be narrowed by the query's user or id filter.
        find: one row by id, login or slug, or None.
        render: the row as JSON bytes, as lists serve it.
        parents: plain parameters (`user_id=`) and what they ask of a row.
        show: the row as JSON bytes when asked for alone; None where lists serve the same.
        quick: a shortcut that answers some queries without looking at rows: ids, already sorted.
        paged: whether paging is obeyed and X-Total sent.
        largest_page: rows a page may have before the answer takes too long.
        repeated: how often a row comes when a range is asked for; once if not given.
        everything: every row, listed or not, for the tests' truth.
    """

    name: str
    rules: Rules
    rows: Callable[[Query], Iterable[Row]]
    find: Callable[[str], Row | None]
    render: Callable[[Row], bytes]
    parents: Mapping[str, Callable[[str], Test]] = field(default_factory=dict)
    show: Callable[[Row], bytes] | None = None
    quick: Callable[[Query], Sequence[int] | None] | None = None
    paged: bool = True
    everything: Callable[[], Iterable[Row]] | None = None
    largest_page: int | None = None
    repeated: Callable[[Row], int] | None = None

    def query(self, query: Query) -> Sequence[Row | int]:
        """Return the rows (or their ids) that a query asks for, in order.

        Raises:
            ApiError: when the query asks for what this resource does not support.
        """
        check(query, self.rules)
        tests = [
            self.parents[name](value) for name, value in query.plain.items() if name in self.parents
        ]
        if self.quick is not None and not tests:
            found = self.quick(query)
            if found is not None:
                return found
        rows = self.rows(query)
        if tests:
            rows = [row for row in rows if all(test(row) for test in tests)]
        chosen = select(rows, query, self.rules)
        if self.repeated is None or not query.ranges:
            return chosen
        return [row for row in chosen for _ in range(self.repeated(row))]

    def key(self, query: Query) -> str:
        """Return what decides the answer; parameters that nobody knows do not."""
        known = {name: value for name, value in query.plain.items() if name in self.parents}
        return repr((self.name, Query(plain=known, **_selection(query)).key()))


def _selection(query: Query) -> dict[str, Any]:
    return {
        "sort": query.sort,
        "filters": query.filters,
        "ranges": query.ranges,
        "search": query.search,
    }


def slots(**kinds: str) -> dict[str, Column]:
    """Build columns of rows that are objects with attributes."""
    return {name: Column(kind, attrgetter(name)) for name, kind in kinds.items()}


def keys(**kinds: str) -> dict[str, Column]:
    """Build columns of rows that are dicts; hidden ones start with an underscore there."""
    return {name: Column(kind, _getter(name, kind)) for name, kind in kinds.items()}


def hidden(**kinds: str) -> dict[str, Column]:
    """Build columns of dict rows that the payload does not show."""
    return {name: Column(kind, _getter(f"_{name}", kind)) for name, kind in kinds.items()}


def absent(*names: str) -> dict[str, Column]:
    """Build columns that the real API knows and that are always null here."""
    return {name: Column("str", _nothing) for name in names}


def _nothing(_: Row) -> None:
    return None


def _getter(key: str, kind: str) -> Callable[[Row], Any]:
    if kind != "time":
        return itemgetter(key)

    def read(row: Row) -> int | None:
        text = row[key]
        return None if text is None else millis(text)

    return read


def rules(
    columns: Mapping[str, Column],
    *,
    order: Iterable[tuple[str, bool]],
    sort: Iterable[str] | None = None,
    filters: Iterable[str] | None = None,
    ranges: Iterable[str] | None = None,
    special: Mapping[str, Callable[[Row, list[str]], bool]] | None = None,
    searchable: Callable[[Row], str] | None = None,
) -> Rules:
    """Build rules; what is not said is: every column."""
    every = tuple(columns)
    special = special or {}
    return Rules(
        columns=columns,
        sortable=every if sort is None else tuple(sort),
        filterable=(every if filters is None else tuple(filters))
        + tuple(name for name in special if name not in columns),
        rangeable=every if ranges is None else tuple(ranges),
        order=tuple(order),
        special=special,
        searchable=searchable,
    )


def when(test: Test) -> Callable[[Row, list[str]], bool]:
    """Build a special filter of the kind `filter[future]=true`."""
    return lambda row, texts: test(row) == (texts[0].lower() in ("true", "1", "t"))


def number(text: str) -> int:
    """Read an id, or a number that no row has."""
    return int(text) if text.isdecimal() and len(text) < 19 else -1


def numbers(texts: Iterable[str]) -> list[int]:
    """Read ids without repeating one."""
    return list(dict.fromkeys(number(text) for text in texts))


def by_id_or_slug(table: Mapping[int, Row], column: str = "slug") -> Callable[[str], Row | None]:
    """Build a finder for rows that have a slug besides the id."""

    def find(text: str) -> Row | None:
        row = table.get(number(text))
        if row is not None:
            return row
        return next((row for row in table.values() if row.get(column) == text), None)

    return find


def parent_id(find: Callable[[str], Row | None], text: str) -> int:
    """Return the id of a parent named by id, login or slug.

    Raises:
        ApiError: the HTML 404 when there is none.
    """
    row = find(text)
    if row is None:
        raise errors.missing_row()
    return int(row["id"] if isinstance(row, dict) else row.id)


def dumps(row: Row) -> bytes:
    """Render a dict row without its hidden columns."""
    return orjson.dumps({key: value for key, value in row.items() if not key.startswith("_")})
