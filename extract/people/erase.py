"""Erasing people: whom 42 anonymised within a day, anybody on request.

Where people are is asked of the catalog, so that a new table is erased from without a word here: a
column `user_id`, whatever refers to mirror.users, and what the table's declaration says. The record
(`ops.erasures`) says how many rows went from where, not whose.
"""

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base.lock import COPY_LOCK
from extract.base.query import execute, scalar, transaction
from extract.base.settings import local_directory, working_directory
from extract.people import kept_out, log_files
from extract.people.copies import PATH, without_people
from extract.tables import TABLES
from extract.tables.ownership import names, schemas

ANONYMISED_LOGIN = "3b3"
DECLARED = {**{table.mirror: table for table in TABLES.values()}, **TABLES}
OF_A_TABLE = re.compile(r"(?:int_)?(\w+?)(?:_history|__\w+)")
KEYS_GIVEN = sql.SQL("key in (select unnest(%(keys)s::jsonb[]))")
KEYS_OF_PEOPLE = sql.SQL("key ->> 'user_id' = any(%(ids)s)")
COLUMNS = """
select space.nspname, relation.relname, attribute.attname, attribute.atttypid = 'jsonb'::regtype
from pg_attribute as attribute
inner join pg_class as relation on attribute.attrelid = relation.oid
inner join pg_namespace as space on relation.relnamespace = space.oid
where space.nspname = any(%s) and relation.relkind = 'r' and not starts_with(relname, '_dlt')
    and attribute.attnum > 0 and not attribute.attisdropped
order by 1, 2, attribute.attnum
"""

REFERRING = """
select relname, attname
from pg_constraint
inner join pg_class on conrelid = pg_class.oid
inner join pg_attribute on attrelid = conrelid and attnum = conkey[1]
where contype = 'f' and confrelid = to_regclass('mirror.users')
"""


@dataclass(frozen=True)
class Person:
    """Whom an erasure means, for the one who confirms it; `campus` is empty when unknown."""

    id: int
    login: str
    campus: str


class _Table:
    """One table, with where in it people are.

    Args:
        columns: Whether they are JSON, by name.
        referring: Those by which a published table of that name refers to users.
    """

    def __init__(
        self, schema: str, name: str, columns: dict[str, bool], referring: set[str]
    ) -> None:
        self.schema, self.name = schema, name
        # the rows of a snapshot, and of the rules, are those of their table
        plain = OF_A_TABLE.sub(r"\1", name)
        declared = self.declared = DECLARED.get(plain)
        person = {declared.person} if declared else set()
        mentions = set(declared.mentions) if declared else set()
        self.mentions = mentions & columns.keys()
        self.people = ((person | referring | {"user_id"}) & columns.keys()) - mentions
        self.is_of_people = "id" in self.people
        self.has_logins = {"id", "login"} <= columns.keys()
        self.nested = [name for name, is_json in columns.items() if is_json]
        self.has_keys = "key" in self.nested
        self.names_its_table = "table_name" in columns

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def find(connection: Connection, login: str = "", user_id: int | None = None) -> Person | None:
    """The person with this login or number, wherever the mirror still knows them."""
    query = (
        "select users.id, users.login, campus.name from {} as users "
        "left join raw.campus on users.campus_id = campus.id "
        "where users.login = %s or users.id = %s limit 1"
    )
    found = _of_logins(connection, _tables(connection), query, (login, user_id))
    for number, name, campus in found:
        return Person(number, name, campus or "")
    return None


def anonymised_users(connection: Connection) -> set[int]:
    """Users whom 42 has anonymised, by their login."""
    query = "select distinct id from {} where login like %s"
    pattern = f"{ANONYMISED_LOGIN}%"
    return {user for (user,) in _of_logins(connection, _tables(connection), query, (pattern,))}


def everybody(connection: Connection) -> set[int]:
    """The numbers of all people in the database, those in nested copies included."""
    found: set[int] = set()
    copies = "jsonb_path_query({}, '$.** ? (exists (@.login)).id')"
    query = sql.SQL("select distinct {} from {}")
    for table in _tables(connection):
        wanted = [sql.SQL("to_jsonb({})").format(sql.Identifier(c)) for c in table.people]
        if table.schema == "raw":
            wanted += [sql.SQL(copies).format(sql.Identifier(c)) for c in table.nested]
        for expression in wanted:
            users = execute(connection, query.format(expression, table.identifier))
            found.update(user for (user,) in users if isinstance(user, int))
    return found


def erase(
    connection: Connection,
    user_ids: Collection[int],
    reason: str,
    run_id: str,
    *,
    keep_out: bool = False,
    only_count: bool = False,
) -> dict[str, int]:
    """Erase people from every schema, in one transaction, and from this machine's logs.

    Args:
        connection: In autocommit mode, and under the run lock.
        reason: For the record, without a name.
        keep_out: Never load them again, from this same transaction on.
        only_count: Change nothing.

    Returns:
        Rows that went, by `schema.table`, and rows of others that lost a copy of the people, by
        `schema.table, copies`.
    """
    ids = sorted(user_ids)
    with transaction(connection, undo=only_count) as cursor:
        tables = _tables(connection)
        theirs = "select distinct login from {} where id = any(%s) and login <> ''"
        logins = {login for (login,) in _of_logins(connection, tables, theirs, (ids,))}
        gone = _erase_rows(cursor, tables, ids)
        cursor.execute(
            "insert into ops.erasures (erased_at, run_id, reason, people, rows) "
            "values (now(), %s, %s, %s, %s)",
            (run_id, reason, len(ids), json.dumps(gone)),
        )
        if keep_out:
            kept_out.add(cursor, ids)
        if not only_count:
            _forget_samples(cursor)
    if not only_count:
        log_files.forget(logins)
    return gone


def forget_readings(connection: Connection) -> None:
    """Delete what a killed run or copy has left on disk.

    Only for a command of its own, whose connection holds the run lock: a run at work needs them.
    A copy at work removes its folder itself.
    """
    folders = [working_directory("dlt"), local_directory() / "listings"]
    if scalar(connection, "select pg_try_advisory_lock(%s, %s)", COPY_LOCK):
        folders.append(working_directory("dlt-copy"))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _tables(connection: Connection) -> list[_Table]:
    columns: defaultdict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for schema, table, column, is_json in execute(connection, COLUMNS, (schemas(),)):
        if f"{schema}.{table}" in names():  # a reader's own table is no business of ours
            columns[schema, table][column] = is_json
    to_users = defaultdict[str, set[str]](set)
    for table, column in execute(connection, REFERRING):
        to_users[table].add(column)
    tables = [_Table(*name, found, to_users[name[1]]) for name, found in columns.items()]
    # children first, or a cascade would take their rows uncounted
    return sorted(tables, key=lambda table: table.is_of_people)


def _of_logins(
    connection: Connection, tables: Iterable[_Table], query: str, values: tuple[Any, ...]
) -> Iterator[tuple[Any, ...]]:
    """The rows of a query over each table that has logins, `{}`."""
    for table in tables:
        if table.has_logins:
            yield from execute(connection, sql.SQL(query).format(table.identifier), values)


def _erase_rows(cursor: Any, tables: list[_Table], ids: list[int]) -> dict[str, int]:
    gone: dict[str, int] = {}
    for table in tables:
        rows, copies = _delete(cursor, tables, table, ids), 0
        for column in table.mentions:
            cursor.execute(
                sql.SQL("update {0} set {1} = null where {1} = any(%s)").format(
                    table.identifier, sql.Identifier(column)
                ),
                (ids,),
            )
            copies += cursor.rowcount
        if table.schema != "ops":
            copies += _clean_copies(cursor, table, ids)
        name = f"{table.schema}.{table.name}"
        gone |= {name: rows, f"{name}, copies": copies}
    # of rows that raw has inside others
    _forget_keys(cursor, tables, KEYS_OF_PEOPLE, {"ids": [str(user_id) for user_id in ids]})
    cursor.execute("delete from ops.deleted_rows")  # the next copy is whole
    return {name: rows for name, rows in gone.items() if rows}


def _forget_samples(cursor: Any) -> None:
    """Sample what this transaction changed anew: the planner's statistics hold values of rows."""
    cursor.execute(
        "select schemaname, relname from pg_stat_xact_user_tables where n_tup_upd + n_tup_del > 0"
    )
    for name in cursor.fetchall():
        cursor.execute(sql.SQL("analyze {}").format(sql.Identifier(*name)))


def _delete(cursor: Any, tables: list[_Table], table: _Table, ids: list[int]) -> int:
    """Delete the rows of these people, and their keys from the record; returns how many rows."""
    if not table.people:
        return 0
    theirs = sql.SQL(" or ").join(
        sql.SQL("{} = any(%(ids)s)").format(sql.Identifier(column))
        for column in sorted(table.people)
    )
    of_raw = table.declared if table.schema == "raw" else None
    key = sql.SQL(", ").join(
        part
        for column in (of_raw.primary_key if of_raw else ())
        for part in (sql.Literal(column), sql.Identifier(column))
    )
    delete = sql.SQL("delete from {} where {} returning jsonb_build_object({})::text")
    cursor.execute(delete.format(table.identifier, theirs, key), {"ids": ids})
    keys = [found for (found,) in cursor.fetchall()]
    rows = len(keys)
    if of_raw and table.is_of_people:  # on record too when the API listed them no longer
        keys += [json.dumps({"id": user_id}) for user_id in ids]
    if of_raw and of_raw.mirror:  # the record names published tables
        _forget_keys(cursor, tables, KEYS_GIVEN, {"keys": keys}, of_raw.mirror)
    return rows


def _forget_keys(
    cursor: Any, tables: list[_Table], those: sql.SQL, values: dict[str, Any], mirror: str = ""
) -> None:
    """Take keys out of the record of changes and of classified rows.

    Args:
        those: What chooses them, of the column `key`.
        mirror: Only in the record of this published table.
    """
    for table in tables:
        if not table.has_keys:
            continue
        here = sql.SQL("true")
        if mirror and table.names_its_table:
            here = sql.SQL("table_name = %(table)s")
        elif mirror and (table.declared is None or table.declared.mirror != mirror):
            continue
        cursor.execute(
            sql.SQL("delete from {} where {} and {}").format(table.identifier, here, those),
            {**values, "table": mirror},
        )
    cursor.execute(
        sql.SQL(
            """
            update ops.change_sets set keys = coalesce((
                select jsonb_agg(key) from jsonb_array_elements(keys) as changed (key)
                where ({0}) is not true
            ), '[]')
            where %(table)s in ('', table_name) and exists (
                select from jsonb_array_elements(keys) as changed (key) where {0}
            )
            """
        ).format(those),
        {**values, "table": mirror},
    )


def _clean_copies(cursor: Any, table: _Table, ids: list[int]) -> int:
    """Take copies of these people out of other people's rows; returns how many rows had one."""
    people, changed = frozenset(ids), 0
    for column in table.nested:
        name = sql.Identifier(column)
        cursor.execute(
            sql.SQL(
                "select ctid, {0} from {1} where jsonb_path_exists({0}, %s, %s) for update"
            ).format(name, table.identifier),
            (PATH, json.dumps({"ids": ids})),
        )
        for place, value in cursor.fetchall():
            cleaned = without_people(value, people)
            cursor.execute(
                sql.SQL("update {} set {} = %s where ctid = %s").format(table.identifier, name),
                (None if cleaned is None else json.dumps(cleaned), place),
            )
            changed += 1
    return changed
