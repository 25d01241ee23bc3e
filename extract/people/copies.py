"""Copies of people that the API nests in other people's rows: a team mate, a corrector."""

import json
from collections.abc import Container
from typing import Any

import pyarrow as pa

from extract.tables import UNKNOWN_FIELDS, Table

# the objects that `without_people` takes out, for SQL: $ids holds the people's numbers
PATH = "$.** ? ((exists (@.login) && @.id == $ids[*]) || @.user_id == $ids[*])"


def without_people(value: Any, people: Container[int]) -> Any:
    """A JSON value without these people; the very same value when they are not in it.

    An object with `login` and a person's `id`, or with a person's `user_id`, leaves its list, or is
    null where it was a value. Texts around it that hold the login (a team's name, the address of
    its repository) are null too.
    """
    cleaned, _ = _cleaned(value, people)
    return value if cleaned == value else cleaned


def leave_out(table: Table, rows: pa.Table, people: Container[int]) -> pa.Table:
    """Rows as they are to be cached and loaded: without the rows and the copies of people."""
    if table.person:
        numbers = rows.column(table.person).to_pylist()
        rows = rows.filter(pa.array([number not in people for number in numbers], pa.bool_()))
    for name in table.mentions:
        values = [None if n in people else n for n in rows.column(name).to_pylist()]
        rows = _with_column(rows, name, values)
    nested = [column.name for column in table.columns if column.data_type == "json"]
    for name in (*nested, UNKNOWN_FIELDS):
        texts = rows.column(name).to_pylist()
        cleaned = [_without_people_in_text(text, people) for text in texts]
        if cleaned != texts:
            rows = _with_column(rows, name, cleaned)
    return rows


def _with_column(rows: pa.Table, name: str, values: list[Any]) -> pa.Table:
    place = rows.schema.get_field_index(name)
    field = rows.schema.field(place)
    return rows.set_column(place, field, pa.array(values, field.type))


def _without_people_in_text(text: str | None, people: Container[int]) -> str | None:
    if text is None or not ('"login"' in text or '"user_id"' in text):
        return text
    value = json.loads(text)
    cleaned = without_people(value, people)
    if cleaned is value:
        return text
    return None if cleaned is None else json.dumps(cleaned, ensure_ascii=False)


def _cleaned(value: Any, people: Container[int]) -> tuple[Any, set[str]]:
    """The value without these people, and the logins that went."""
    logins: set[str] = set()
    if isinstance(value, dict):
        if _is_one_of(value, people):
            return None, {str(value["login"])} if value.get("login") else logins
        fields = {name: _cleaned(item, people) for name, item in value.items()}
        logins = logins.union(*(gone for _, gone in fields.values()))
        return {name: _without_logins(item, logins) for name, (item, _) in fields.items()}, logins
    if isinstance(value, list):
        items = [(_cleaned(item, people), _is_one_of(item, people)) for item in value]
        logins = logins.union(*(gone for (_, gone), _ in items))
        return [item for (item, _), goes in items if not goes], logins
    return value, logins


def _is_one_of(value: Any, people: Container[int]) -> bool:
    if not isinstance(value, dict):
        return False
    numbers = [value.get("user_id"), value.get("id") if "login" in value else None]
    return any(isinstance(number, int) and number in people for number in numbers)


def _without_logins(value: Any, logins: set[str]) -> Any:
    if isinstance(value, str) and any(login.casefold() in value.casefold() for login in logins):
        return None
    return value
