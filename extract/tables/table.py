"""What a declaration says of one table of the API; the declarations are in declarations.py."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa

from extract.tables.streams import ESSENTIAL, STREAMS

Row = dict[str, Any]
DataType = Literal["bigint", "text", "bool", "double", "timestamp", "json"]
Reading = Literal["whole", "campuses", "by campus", "students", "by students", "open rows"]

ARROW_TYPES: dict[DataType, pa.DataType] = {
    "bigint": pa.int64(),
    "text": pa.string(),
    "bool": pa.bool_(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}
UNKNOWN_FIELDS = "unknown_fields"
FIRST_DAY = date(1970, 1, 1).toordinal()
BORDER = timedelta(seconds=1)


@dataclass(frozen=True)
class Column:
    """One column of a raw table.

    Attributes:
        field: The API's own field name (`staff?`), when the column cannot carry it.
        required: The field must be in every row: a rule or a key needs it.
        not_null: The value must not be null either.
    """

    name: str
    data_type: DataType
    field: str
    required: bool = False
    not_null: bool = False


@dataclass(frozen=True, eq=False)
class Table:
    """One table of the API: its columns, where it is read, how, and whose data it is.

    Attributes:
        name: The table in `raw`, by the API's resource name.
        fields: The columns, as `columns` reads them.
        endpoint: Below `/v2`, where it is another than the name; `{cursus}` is the anchor cursus,
            `{campus}` each campus. A list that is below each person alone is not read.
        published: The table in `mirror`, where it has another name; empty when none is published.
        stream: See streams.py. What is essential makes or breaks a pass; anything else may be late.
        comes_with: The table in whose answers its rows are: one for each of its rows, by the same
            key, of the columns that `set_apart` takes out of them. No call is made for it.
        full: How a full pass reads it; None: it does not. "students": a campus at a time, until
            they add up to the cursus' total; "by students": for 100 of those at a time; "by
            campus": for each of the "campuses", themselves a list that is read "whole"; "open
            rows": see passes/open_rows.py.
        campuses: Of a reading by campus: every campus, or those whose name another one shares.
        backfill: Read by 100 students at a time with what quota is left.
        parents: The table by 100 of whose ids a backfill reads it; `scope` holds them. "days": no
            table, but each day (UTC) of `kept_by`, by its number since 1970.
        open_until: The time in a row of `parents` until which its rows here come and go, and no
            range tells: a full pass has the backfill read them again. Of days those to come do.
        ranges: The fields by whose `range[…]` a live pass reads what is new.
        again: Filters of a list that every live pass reads whole, where no range tells what is new.
        params: Filters and sort order of every reading.
        students: Further filters, with which only students of the cursus are listed.
        campus_filter: The filter by campus, of rows that do not say theirs.
        by_id: The endpoint has `filter[id]`.
        scope: A complete reading may delete rows whose value of this column it covered.
        person: The column with the id of the person whose row it is; empty when it is nobody's.
        mentions: Columns with the id of a person whose row it is not; null once they are erased.
            People nested in json columns are found by `user_id`, or by `id` beside `login`
            (extract/people/copies.py): `prepare` brings others into that form.
        moving: Columns that change without `updated_at`.
        always_has_rows: An empty answer to the whole listing is an error.
        rows_a_student: About so many (or an event has), as long as its stream keeps them unless
            told otherwise: which says what a reading costs.
        page_size: Rows a page; fewer than 100 where the endpoint would take too long.
        in_flight: Most pages of one listing at once; heavy ones fill the memory.
        copies: Nested copies of other resources (`user`), of which the id is kept (`user_id`).
        reduced: Of which objects in json columns no more is kept than `nested` declares.
        prepare: Brings an object into the form of its columns where the two do not suffice, in
            place.
        left_out: Fields that are known and deliberately not kept.
        unknown_values: Whether a field that is not known is kept with its value, or by name alone.
        nested: Where objects are in json columns (`teams.users`: in each of a list's, too), the
            columns of what models read of them; a plain id counts as one with an `id`.
        derived: Optional columns that `prepare` makes, and may leave null in a whole list: the
            payload has no such field.
        kept_by: The column with the time by which its rows grow too old for their stream.
        open_rows: The filter with which only open rows are listed: `open_column` is null in them
            until they close or vanish, and no `updated_at` tells (passes/open_rows.py).
        places_people: A live pass asks it where people belong, whether its stream is on or not.
        set_apart: Columns that are loaded into the table that comes with this one, not into it.
    """

    name: str
    fields: str | tuple[Column, ...]
    endpoint: str = ""
    published: str | None = None
    stream: str = field(kw_only=True)
    comes_with: str = ""
    full: Reading | None = "whole"
    campuses: Literal["every", "of shared name"] = "every"
    backfill: bool = False
    parents: Literal["users", "events", "days"] = "users"
    open_until: str = ""
    ranges: tuple[str, ...] = ()
    again: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=lambda: {"sort": "id"})
    students: Mapping[str, str] = field(default_factory=dict)
    campus_filter: str = ""
    by_id: bool = True
    scope: str = "id"
    primary_key: tuple[str, ...] = ("id",)
    person: str = ""
    mentions: tuple[str, ...] = ()
    moving: frozenset[str] = frozenset()
    always_has_rows: bool = False
    rows_a_student: float = 0
    page_size: int = 100
    in_flight: int = 100
    copies: tuple[str, ...] = ()
    reduced: tuple[str, ...] = ()
    prepare: Callable[[Row], None] | None = None
    left_out: frozenset[str] = frozenset()
    unknown_values: bool = True
    nested: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    derived: frozenset[str] = frozenset()
    set_apart: frozenset[str] = frozenset()
    places_people: bool = False
    kept_by: str = ""
    open_rows: Mapping[str, str] = field(default_factory=dict)
    open_column: str = ""

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """What is read of a row."""
        return columns(self.fields) if isinstance(self.fields, str) else self.fields

    @property
    def path(self) -> str:
        """The endpoint, below `/v2`."""
        return self.endpoint or f"/{self.name}"

    @property
    def mirror(self) -> str:
        """The table in `mirror`; empty when none is published."""
        return self.name if self.published is None else self.published

    @property
    def essential(self) -> bool:
        """Whether it makes or breaks a pass."""
        return self.stream == ESSENTIAL

    @property
    def relation(self) -> bool:
        """Whether its rows are read for their parents and go with them."""
        of_parents = self.backfill and self.parents != "days"
        return self.full == "by students" or of_parents or bool(self.comes_with)

    @property
    def parent(self) -> str:
        """The column with the id by which a backfill reads it."""
        return self.person if self.parents == "users" else self.scope

    def kept_from(self) -> datetime | None:
        """Before when its rows are neither asked for nor kept; None for no limit."""
        return STREAMS[self.stream].kept_from() if self.kept_by else None

    @property
    def reads(self) -> str:
        """The table of `ops` that says of which parents its rows were read, and when."""
        names = {"users": "relation_reads", "events": "event_reads", "days": "day_reads"}
        return names[self.parents]

    def pages(self, rows: int) -> int:
        """Calls that so many rows take."""
        return math.ceil(rows / self.page_size)

    @property
    def loaded(self) -> tuple[Column, ...]:
        """The columns of the table in `raw`."""
        return tuple(column for column in self.columns if column.name not in self.set_apart)

    def schema(self) -> pa.Schema:
        """The fixed Arrow schema of what is read, `unknown_fields` last."""
        return self._schema(self.columns)

    def loaded_schema(self) -> pa.Schema:
        """The same of what is loaded."""
        return self._schema(self.loaded)

    @staticmethod
    def _schema(columns: Sequence[Column]) -> pa.Schema:
        fields = [pa.field(c.name, ARROW_TYPES[c.data_type]) for c in columns]
        return pa.schema([*fields, pa.field(UNKNOWN_FIELDS, pa.string())])

    def bring_into_form(self, rows: Sequence[Row]) -> None:
        """Change objects of the API to the form of the columns, which refuse what is odd."""
        for name in self.copies:
            for row in rows:
                copy = row.pop(name, None)
                if row.get(f"{name}_id") is None:
                    row[f"{name}_id"] = copy.get("id") if isinstance(copy, dict) else None
        for name in self.reduced:
            for row in rows:
                if name in row:
                    row[name] = reduced(row[name], self.nested[name])
        if self.prepare:
            for row in rows:
                self.prepare(row)

    def known_fields(self) -> frozenset[str]:
        """Every field that is no drift."""
        return frozenset(c.field for c in self.columns) | self.left_out


def columns(text: str) -> tuple[Column, ...]:
    """Read columns from lines `type: name name! field?name …`.

    `name!` is required, `name!!` required and never null; `staff?` is the field `staff?` in the
    column `staff`.
    """
    found = []
    for line in text.strip().splitlines():
        data_type, _, names = line.strip().partition(":")
        for word in names.split():
            not_null, required = word.endswith("!!"), word.endswith("!")
            name = word.rstrip("!")
            found.append(
                Column(name.rstrip("?"), data_type, name, required, not_null)  # type: ignore[arg-type]
            )
    return tuple(found)


def reduced(value: Any, columns: Sequence[Column]) -> Any:
    """Of an object, or of each in a list, these fields alone; anything else as it is."""
    if isinstance(value, list):
        return [reduced(one, columns) for one in value if isinstance(one, dict)]
    if isinstance(value, dict):
        return {column.field: value.get(column.field) for column in columns}
    return value


def day_of(moment: date | str | None) -> int | None:
    """The number of its day since 1970 in UTC, as the API's times are; None of what is no date."""
    try:
        day = moment if isinstance(moment, date) else date.fromisoformat(str(moment)[:10])
    except ValueError:
        return None
    return day.toordinal() - FIRST_DAY


def window_of_days(days: Sequence[int]) -> tuple[datetime, datetime]:
    """The bounds of a range that has all of these days, and a little of those beside them.

    Bounds may be exclusive, and many an evaluation begins at midnight in UTC: 9:00 in Seoul.
    """
    first, last = (datetime.fromtimestamp(86_400 * day, UTC) for day in (min(days), max(days) + 1))
    return first - BORDER, last + BORDER
