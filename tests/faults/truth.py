"""What `raw` must hold: the sandbox's own rows, compared column by column with the database's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import requests
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.tables import TABLES
from extract.tables.declarations import QUEST
from tests.end_to_end.oracle import offered_at
from tests.end_to_end.oracle import rows as listed_rows

Row = dict[str, Any]
Key = tuple[int, ...]
CURSUS = 21
REFERENCE = ("cursus", "campus", "projects", "achievements", "coalitions", "blocs")
FULL = (*REFERENCE, "campus_achievements", "users", "cursus_users")
RELATIONS = ("projects_users", "achievements_users", "coalitions_users")
# not the API's: the load that brought the row, and what the contract did not know of it
OURS = {"_dlt_load_id", "unknown_fields"}


class Truth:
    """The sandbox's current rows of each raw table, by key; asked for once per world."""

    def __init__(self, address: str, secret: str) -> None:
        self._address, self._secret = address, secret
        self._version: Any = None
        self._rows: dict[str, dict[Key, Row]] = {}

    def rows(self, table: str) -> dict[Key, Row]:
        """What a complete read of the table brings now."""
        version = self.version()
        if version != self._version:
            self._version, self._rows = version, {}
        if table not in self._rows:
            self._rows[table] = self._read(table)
        return self._rows[table]

    def version(self) -> Any:
        """Another one after each change of the world, until it is made anew."""
        return requests.get(f"{self._address}/_sandbox/health", timeout=30).json()["version"]

    def forget(self) -> None:
        """Ask anew: another world may have the same version."""
        self._version = None

    def _read(self, table: str) -> dict[Key, Row]:
        if table == "campus_achievements":
            return self._campus_achievements()
        rows: Iterable[Row] = listed_rows(self._address, table)
        if table == "projects":
            rows = [_without_counts(row) for row in rows if _in_cursus(row)]
        elif table == "blocs":
            rows = [{**r, "coalitions": [{"id": c["id"]} for c in r["coalitions"]]} for r in rows]
        elif table == "users":
            rows = self._students(rows)
        elif TABLES[table].relation:
            students = self.rows("users")
            kept = (_relation(table, row) for row in rows)
            rows = [row for row in kept if (row["user_id"],) in students]
        if table == "cursus_users":
            rows = [row for row in rows if row["cursus_id"] == CURSUS]
        return {(row["id"],): row for row in rows}

    def _students(self, rows: Iterable[Row]) -> list[Row]:
        campus_of = {
            row["id"]: row["primary_campus_id"]
            for row in listed_rows(self._address, "users", "&fields=id,primary_campus_id")
        }
        enrolled = {
            row["user"]["id"]
            for row in listed_rows(self._address, "cursus_users")
            if row["cursus_id"] == CURSUS
        }
        campuses = self.rows("campus")

        def listed(campus: int | None) -> int | None:
            return campus if (campus,) in campuses else 0

        return [
            row
            for row in ({**row, "campus_id": listed(campus_of[row["id"]])} for row in rows)
            if row["kind"] == "student" and not row["alumni?"] and row["id"] in enrolled
        ]

    def _campus_achievements(self) -> dict[Key, Row]:
        """Pairs of the campuses that share their name with another one."""
        names = Counter(row["name"] for row in self.rows("campus").values())
        return {
            (campus, achievement): {"campus_id": campus, "achievement_id": achievement}
            for (campus,), row in self.rows("campus").items()
            if names[row["name"]] > 1
            for achievement in offered_at(self._address, campus, self._secret)
        }


def _in_cursus(project: Row) -> bool:
    return any(cursus["id"] == CURSUS for cursus in project["cursus"])


def _without_counts(project: Row) -> Row:
    for campus in project["campus"]:
        campus.pop("users_count", None)
    return project


def _relation(table: str, row: Row) -> Row:
    """A relation row with its ids where raw has them, and no more than raw keeps."""
    row.setdefault("user_id", (row.get("user") or {}).get("id"))
    row.setdefault("project_id", (row.get("project") or {}).get("id"))
    teams = {team["id"]: team for team in row.get("teams", ())}
    row["current_team"] = teams.get(row.get("current_team_id"))
    if "quest" in row:
        row["quest"] = {column.field: row["quest"][column.field] for column in QUEST}
    return {column.name: api_value(row, column.name) for column in TABLES[table].columns}


def differences(
    connection: Connection,
    truth: Truth,
    tables: Iterable[str],
    keep: Callable[[Row], bool] = lambda row: True,
) -> list[str]:
    """How raw differs from the truth, in words; empty when it does not.

    Args:
        keep: Compare only these rows.
    """
    found: list[str] = []
    for table in tables:
        actual = {key: row for key, row in stored(connection, table).items() if keep(row)}
        expected = {key: row for key, row in truth.rows(table).items() if keep(row)}
        found += [f"{table} {key} is missing" for key in sorted(expected.keys() - actual.keys())]
        found += [f"{table} {key} is dead" for key in sorted(actual.keys() - expected.keys())]
        for key in expected.keys() & actual.keys():
            found += [
                f"{table} {key}.{column}"
                for column, value in actual[key].items()
                if column not in OURS and not same(value, api_value(expected[key], column))
            ]
    return found


def stored(connection: Connection, table: str) -> dict[Key, Row]:
    """The rows of a raw table by key.

    Raises:
        AssertionError: A key is there twice.
    """
    key = ("campus_id", "achievement_id") if table == "campus_achievements" else ("id",)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("select * from raw.{}").format(sql.Identifier(table)))
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    by_key = {tuple(row[name] for name in key): row for row in rows}
    assert len(by_key) == len(rows), f"raw.{table} has a key twice"
    return by_key


def api_value(row: Row, column: str) -> Any:
    """The API's value for a column: `staff` comes from `staff?`."""
    return row[f"{column}?"] if f"{column}?" in row else row.get(column)


def same(stored_value: Any, sent: Any) -> bool:
    """Whether the database holds what the API sent."""
    if isinstance(stored_value, datetime):
        return isinstance(sent, str) and datetime.fromisoformat(sent) == stored_value
    return bool(stored_value == sent)


def contents(connection: Connection, schema: str) -> dict[str, str]:
    """A digest of each table of a schema, dlt's own and `_dlt_load_id` included."""
    digests = {}
    with connection.cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = %s", (schema,))
        for (table,) in cursor.fetchall():
            cursor.execute(
                sql.SQL(
                    "select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) "
                    "from {}.{} as t"
                ).format(sql.Identifier(schema), sql.Identifier(table))
            )
            digests[table] = (cursor.fetchone() or ("",))[0]
    return digests
