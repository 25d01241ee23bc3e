"""Rows of a page as an Arrow table, held to what its table declares."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from extract.base.errors import ContractError
from extract.tables.table import ARROW_TYPES, UNKNOWN_FIELDS, Column, DataType, Row, Table

EXPECTED: dict[DataType, str] = {
    "bigint": "a whole number of at most 64 bits, e.g. 42",
    "text": 'a string, e.g. "libft"',
    "bool": "true or false",
    "double": "a number, e.g. 5.43",
    "timestamp": 'a timestamp, e.g. "2024-05-27T09:14:02.117Z"',
    "json": "a list or an object",
}
# what Arrow would take for a number: true for 1, and 1.0 for a whole one
NO_NUMBERS: dict[DataType, frozenset[type]] = {
    "bigint": frozenset({bool, float}),
    "double": frozenset({bool}),
}


# microseconds of 0001-01-01 and 9999-12-31, as far as Python and PostgreSQL agree
FIRST, LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
# what is meant as a date; anything else in its place is a change of the API
DATED = re.compile(r"[+-]?\d{4,6}-\d\d-\d\d(\D|$)")


def to_arrow(declared: Table, rows: Sequence[Row], path: str) -> pa.Table:
    """Turn payload rows into an Arrow table of the declared schema.

    Args:
        rows: API objects; they are changed in place.
        path: The endpoint, for messages, e.g. `/v2/cursus/21/users`.

    Raises:
        ContractError: A required field is gone, a key is null or a value has another type; the
            message names the contract test, the endpoint and the field, never the value.

    A time that no calendar has, or of a year that Python does not have, is null where no rule needs
    the field; it is kept in `unknown_fields` as it came.
    """
    declared.bring_into_form(rows)
    aside = _hold_nested(declared, rows, path)
    _write_json(declared, rows, path)
    arrays = _arrays(declared, rows, path, aside)
    known = declared.known_fields()
    if not aside and set().union(*rows) <= known:
        arrays.append(pa.nulls(len(rows), pa.string()))
    else:
        unknown = (
            {k: v if declared.unknown_values else None for k, v in row.items() if k not in known}
            | aside.get(n, {})
            for n, row in enumerate(rows)
        )
        arrays.append(pa.array([_json(fields or None) for fields in unknown], pa.string()))
    return pa.Table.from_arrays(arrays, schema=declared.schema())


def unknown_fields(table: pa.Table) -> Iterable[str]:
    """The names of the fields in a table that no column holds as they came."""
    column = table.column(UNKNOWN_FIELDS)
    if column.null_count == len(column):
        return []
    names: set[str] = set()
    for text in column.drop_null().to_pylist():
        names.update(orjson.loads(text))
    return sorted(names)


def missing_fields(declared: Table, present: Collection[str], rows: pa.Table) -> list[str]:
    """The optional fields of the contract that no object carried any more.

    Args:
        present: Every field that some object of a listing had, as it was sent.
        rows: The listing. What `prepare` has filled from another field is not missing.
    """
    return sorted(
        column.field
        for column in declared.columns
        if not column.required
        and column.field not in declared.derived.union(present)
        and rows.column(column.name).null_count == len(rows)
    )


def _hold_nested(declared: Table, rows: Sequence[Row], path: str) -> dict[int, Row]:
    """Hold objects in lists to their columns, too: a model that cannot cast one stops a build.

    Returns the times that cannot be, by the row's number and the place: `teams.closed_at`.
    """
    aside: dict[int, Row] = {}
    for place in declared.nested:
        found = [(n, one) for n, row in enumerate(rows) for one in _objects(row, place.split("."))]
        impossible: dict[int, Row] = {}
        _arrays(_nested(declared, place), [one for _, one in found], path, impossible)
        for number, times in impossible.items():
            of_row = aside.setdefault(found[number][0], {})
            of_row |= {f"{place}.{name}": text for name, text in times.items()}
    return aside


@cache
def _nested(declared: Table, place: str) -> Table:
    """What is nested in a table, as if it were one."""
    return replace(declared, name=f"{declared.name}.{place}", fields=declared.nested[place])


def _objects(within: Any, fields: Sequence[str]) -> Iterator[Row]:
    """The objects in a field, or in the fields of those in it."""
    value = within.get(fields[0])
    # anything but a list or an object is for the column itself to refuse
    found = value if isinstance(value, list) else [value] if isinstance(value, dict) else ()
    for one in found:
        if isinstance(one, dict) and fields[1:]:
            yield from _objects(one, fields[1:])
        elif one is not None:
            yield one if isinstance(one, dict) else {"id": one}


def _write_json(declared: Table, rows: Sequence[Row], path: str) -> None:
    """Put the text of lists and objects in their place, in the rows themselves.

    The parsed lists of 100 projects weigh ten times their text: each goes at once.
    """
    for column in declared.columns:
        if column.data_type != "json":
            continue
        kinds = {type(row.get(column.field)) for row in rows}
        if not kinds <= {list, dict, type(None)}:
            raise _broken(declared, column, path, f"the API sent {_kinds(kinds)}")
        for row in rows:
            if column.field in row:
                row[column.field] = _json(row[column.field])


def _arrays(
    declared: Table, rows: Sequence[Row], path: str, aside: dict[int, Row]
) -> list[pa.Array]:
    """The columns, null where an optional field is missing.

    Args:
        aside: Takes, by the row's number, the times that cannot be, out of the rows.
    """
    arrays = []
    for column in declared.columns:
        values = [row.get(column.field) for row in rows]
        if None in values:
            if column.required and not all(column.field in row for row in rows):
                raise _broken(declared, column, path, "the field is gone from the payload")
            if column.not_null:
                raise _broken(declared, column, path, "it is null")
        try:
            if not NO_NUMBERS.get(column.data_type, frozenset()).isdisjoint(map(type, values)):
                raise pa.ArrowTypeError("a boolean or a fraction")
            is_time = column.data_type == "timestamp"
            array = pa.array(values, pa.string() if is_time else ARROW_TYPES[column.data_type])
        except (pa.ArrowException, OverflowError, TypeError):
            # not chained: Arrow's message shows the value
            kinds = _kinds(map(type, values))
            raise _broken(declared, column, path, f"the API sent {kinds}") from None
        arrays.append(_times(declared, column, rows, array, path, aside) if is_time else array)
    return arrays


def _times(
    declared: Table,
    column: Column,
    rows: Sequence[Row],
    texts: pa.Array,
    path: str,
    aside: dict[int, Row],
) -> pa.Array:
    """The texts as times; those that cannot be are null, and put aside."""
    try:
        return _as_times(texts)
    except (pa.ArrowException, OverflowError):
        possible = texts.to_pylist()
    for n, text in enumerate(possible):
        try:
            _as_times(pa.array([text], pa.string()))
        except (pa.ArrowException, OverflowError):
            if column.required or not DATED.match(text):
                keys = ", ".join(f"{key} {rows[n].get(key)}" for key in declared.primary_key)
                shape = re.sub(r"\d", "9", re.sub(r"[^\W\d_]", "a", text[:40]))
                what = f"the API sent {shape!r} (9: any digit, a: any letter), row {keys}"
                raise _broken(declared, column, path, what) from None
            aside.setdefault(n, {})[column.field] = text
            rows[n][column.field] = possible[n] = None
    return _as_times(pa.array(possible, pa.string()))


def _as_times(texts: pa.Array) -> pa.Array:
    """ISO 8601 as timestamps that PostgreSQL and Python have as well.

    Raises:
        pa.ArrowException, OverflowError: Not all of them are.
    """
    times = texts.cast(ARROW_TYPES["timestamp"])
    bounds = pc.min_max(times.view(pa.int64())).as_py()
    if bounds["min"] is not None and not FIRST <= bounds["min"] <= bounds["max"] <= LAST:
        raise OverflowError("a year before 1 or after 9999")
    return times


def _json(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # numbers beyond 64 bits: jsonb keeps them, the slower writer knows them
        return json.dumps(value)


def _kinds(types: Iterable[type]) -> str:
    """Which JSON types came, in words."""
    names = {
        bool: "a boolean",
        int: "a whole number",
        float: "a fraction",
        str: "a string",
        list: "a list",
        dict: "an object",
        type(None): "null",
    }
    return " and ".join(sorted({names.get(kind, "something else") for kind in types}))


def _broken(declared: Table, column: Column, path: str, what: str) -> ContractError:
    return ContractError(
        f"Contract test raw.{declared.name}.{column.name} failed: {path}, field "
        f"{column.field!r}: {what}; expected {EXPECTED[column.data_type]}. Nothing was "
        "loaded from this list. If the API really changed, adapt extract/tables/declarations.py "
        "and the staging model."
    )
