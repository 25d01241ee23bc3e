"""The query language: page, sort, filter, range, search."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sandbox.api import errors
from sandbox.world.values import millis

Row = Any
Value = Any

DEFAULT_SIZE = 30
MAX_SIZE = 100
MAX_VALUES = 100

_BRACKETS = re.compile(r"^(filter|range|page)\[([^\]]*)\]$")
_TRUE = frozenset(("true", "t", "1", "yes"))
_FALSE = frozenset(("false", "f", "0", "no"))


@dataclass(frozen=True)
class Column:
    """One attribute the query language knows: how to read and how to compare it."""

    kind: str
    get: Callable[[Row], Value]

    def parse(self, name: str, text: str) -> Value:
        """Turn a value of the query string into what `get` returns.

        Raises:
            ApiError: 422 when a date cannot be read.
        """
        if self.kind == "int":
            return int(text) if re.fullmatch(r"-?\d{1,18}", text) else None
        if self.kind == "float":
            try:
                return float(text)
            except ValueError:
                return None
        if self.kind == "bool":
            lowered = text.lower()
            return True if lowered in _TRUE else False if lowered in _FALSE else None
        if self.kind == "time":
            try:
                return millis(text)
            except ValueError:
                raise errors.unusable(name, text) from None
        return text


@dataclass
class Query:
    """A parsed query string."""

    page: int = 1
    size: int = DEFAULT_SIZE
    sort: list[tuple[str, bool]] = field(default_factory=list)
    filters: dict[str, list[str]] = field(default_factory=dict)
    ranges: dict[str, list[str]] = field(default_factory=dict)
    search: str = ""
    plain: dict[str, str] = field(default_factory=dict)
    brackets: bool = False
    pairs: list[tuple[str, str]] = field(default_factory=list)

    def key(self) -> str:
        """Return what decides the rows: everything but the page."""
        return repr(
            (
                self.sort,
                sorted(self.filters.items()),
                sorted(self.ranges.items()),
                self.search,
                sorted(self.plain.items()),
            )
        )


def parse(raw: str) -> Query:
    """Parse a query string; brackets may be raw or percent-encoded."""
    query = Query()
    for name, value in parse_qsl(raw, keep_blank_values=True):
        match = _BRACKETS.match(name)
        if name == "access_token":
            continue
        if match and match[1] == "page":
            query.brackets = True
            _page(query, {"number": "page", "size": "per_page"}.get(match[2], ""), value)
        elif name in ("page", "per_page"):
            _page(query, name, value)
        else:
            query.pairs.append((name, value))
            _condition(query, match, name, value)
    return query


def _condition(query: Query, match: re.Match[str] | None, name: str, value: str) -> None:
    if match and match[1] == "filter":
        values = [part for part in value.split(",") if part != ""]
        if values:  # an empty filter is no filter
            query.filters[match[2]] = values
    elif match:
        if value:
            query.ranges[match[2]] = value.split(",")
    elif name == "sort":
        parts = [part.strip() for part in value.split(",")]
        query.sort += [(part.lstrip("-"), part.startswith("-")) for part in parts if part]
    elif name == "search":
        query.search = value
    else:
        query.plain[name] = value


def _page(query: Query, name: str, value: str) -> None:
    number = int(value) if value.isdecimal() and len(value) < 10 else 0
    if name == "page":
        query.page = max(number, 1)
    elif name == "per_page":
        query.size = min(number, MAX_SIZE) if number else DEFAULT_SIZE


@dataclass(frozen=True)
class Rules:
    """What one endpoint lets be sorted, filtered and ranged."""

    columns: Mapping[str, Column]
    sortable: tuple[str, ...]
    filterable: tuple[str, ...]
    rangeable: tuple[str, ...]
    order: tuple[tuple[str, bool], ...]
    special: Mapping[str, Callable[[Row, list[str]], bool]]
    searchable: Callable[[Row], str] | None = None


def check(query: Query, rules: Rules) -> None:
    """Refuse what the endpoint does not support.

    Raises:
        ApiError: 400 for an unknown attribute, 502 for too many values.
    """
    for name in query.filters:
        if name not in rules.filterable:
            raise errors.bad_filter(name, list(rules.filterable))
    for name in query.ranges:
        if name not in rules.rangeable:
            raise errors.bad_range(name, list(rules.rangeable))
    for name, _ in query.sort:
        if name not in rules.sortable:
            raise errors.bad_sort(name)
    if any(len(values) > MAX_VALUES for values in query.filters.values()):
        raise errors.gateway(502)


def bounds(query: Query, rules: Rules, name: str) -> tuple[Value, Value]:
    """Return the two parsed bounds of a range.

    Raises:
        ApiError: 400 when there are not exactly two.
    """
    parts = query.ranges[name]
    if len(parts) != 2 or not all(parts):
        raise errors.bad_bounds(name)
    column = rules.columns[name]
    low, high = (column.parse(name, part) for part in parts)
    if low is None or high is None:
        raise errors.bad_bounds(name)
    return low, high


def select(rows: Iterable[Row], query: Query, rules: Rules) -> list[Row]:
    """Filter, range, search and sort candidate rows."""
    kept = list(rows)
    for name, texts in query.filters.items():
        special = rules.special.get(name)
        if special is not None:
            kept = [row for row in kept if special(row, texts)]
            continue
        column = rules.columns[name]
        get = column.get
        wanted = {column.parse(name, text) for text in texts} - {None}
        kept = [row for row in kept if get(row) in wanted]
    for name in query.ranges:
        low, high = bounds(query, rules, name)
        get = rules.columns[name].get
        kept = [row for row in kept if (value := get(row)) is not None and low <= value <= high]
    if query.search and rules.searchable is not None:
        needle, text_of = query.search.lower(), rules.searchable
        kept = [row for row in kept if needle in text_of(row).lower()]
    for name, descending in reversed(query.sort or rules.order):
        get = rules.columns[name].get
        # As PostgreSQL: nulls last, and first when descending.
        kept.sort(key=lambda row: _sort_key(get(row)), reverse=descending)
    return kept


def _sort_key(value: Value) -> tuple[bool, Value]:
    return (value is None, 0 if value is None else value)
