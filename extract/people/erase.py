"""Erasing people: whom 42 anonymised within a day, anybody on request.

The record (`ops.erasures`) says how many rows went from where, not whose. Who asked to be erased
stays out: `ops.kept_out` holds a hash of the number in the API, and nothing else of the person.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.tables import TABLES

ANONYMISED_LOGIN = "3b3"
# children before parents; snapshots keep users and cursus_users only; what is missing is skipped
PLACES = [
    *(
        (schema, name, table.person)
        for table in reversed(TABLES.values())
        for schema, name in (
            ("raw", table.name),
            ("marts", table.mirror),
            ("mirror", table.mirror),
        )
        if table.person and name
    ),
    ("snapshots", "cursus_users_history", "user_id"),
    ("snapshots", "users_history", "id"),
    ("ops", "relation_reads", "user_id"),
]


def anonymised_users(connection: Connection) -> set[int]:
    """Users of raw or snapshots whom 42 has anonymised, by their login."""
    found: set[int] = set()
    with connection.cursor() as cursor:
        for schema, table in (("raw", "users"), ("snapshots", "users_history")):
            if not _exists(cursor, schema, table):
                continue
            cursor.execute(
                sql.SQL("select distinct id from {} where login like %s").format(
                    sql.Identifier(schema, table)
                ),
                (f"{ANONYMISED_LOGIN}%",),
            )
            found.update(user for (user,) in cursor.fetchall())
    return found


def find_user(connection: Connection, login: str) -> int | None:
    """The number of a person by login, wherever the mirror still knows it."""
    with connection.cursor() as cursor:
        for schema, table in (
            ("mirror", "users"),
            ("raw", "users"),
            ("snapshots", "users_history"),
        ):
            if _exists(cursor, schema, table):
                cursor.execute(
                    sql.SQL("select id from {} where login = %s limit 1").format(
                        sql.Identifier(schema, table)
                    ),
                    (login,),
                )
                row = cursor.fetchone()
                if row:
                    return int(row[0])
    return None


def erase(
    connection: Connection, user_ids: Collection[int], reason: str, run_id: str
) -> dict[str, int]:
    """Erase people from raw, marts, mirror, snapshots and ops, in one transaction.

    Args:
        connection: In autocommit mode.
        reason: For the record, without a name.

    Returns:
        Rows that went, by `schema.table`.
    """
    ids = list(user_ids)
    gone: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute("begin")
        try:
            for schema, table, column in PLACES:
                if _exists(cursor, schema, table):
                    cursor.execute(
                        sql.SQL("delete from {} where {} = any(%s)").format(
                            sql.Identifier(schema, table), sql.Identifier(column)
                        ),
                        (ids,),
                    )
                    if cursor.rowcount:
                        gone[f"{schema}.{table}"] = cursor.rowcount
            for schema in ("raw", "marts", "mirror"):
                _leave_teams(cursor, schema, ids)
            _forget_keys(cursor, ids)
            cursor.execute(
                "insert into ops.erasures (erased_at, run_id, reason, people, rows) "
                "values (now(), %s, %s, %s, %s)",
                (run_id, reason, len(ids), json.dumps(gone)),
            )
            cursor.execute("commit")
        except BaseException:
            cursor.execute("rollback")
            raise
    return gone


def keep_out(connection: Connection, user_id: int) -> None:
    """Never load this person again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into ops.kept_out (person, since) values (%s, now()) on conflict do nothing",
            (_hash(user_id),),
        )


def kept_out(connection: Connection) -> frozenset[str]:
    """Hashes of the people who are kept out."""
    with connection.cursor() as cursor:
        cursor.execute("select person from ops.kept_out")
        return frozenset(person for (person,) in cursor.fetchall())


def is_kept_out(user_id: int | None, hashes: frozenset[str]) -> bool:
    """Whether a person is among the hashes."""
    return user_id is not None and _hash(user_id) in hashes


@lru_cache(maxsize=100_000)
def _hash(user_id: int) -> str:
    return hashlib.sha256(f"fortytwo-mirror user {user_id}".encode()).hexdigest()


def _exists(cursor: Any, schema: str, table: str) -> bool:
    cursor.execute("select to_regclass(%s) is not null", (f"{schema}.{table}",))
    return bool(cursor.fetchone()[0])


def _leave_teams(cursor: Any, schema: str, ids: list[int]) -> None:
    """Take the people out of their team mates' rows; a team's name carries its leader's login."""
    if not _exists(cursor, schema, "projects_users"):
        return
    cursor.execute(
        sql.SQL(
            """
            update {} as relation
            set current_team = jsonb_set(
                jsonb_set(current_team, '{{users}}', coalesce((
                    select jsonb_agg(member) from jsonb_array_elements(current_team -> 'users')
                    as members (member) where not (member ->> 'id')::bigint = any(%(ids)s)
                ), '[]')),
                '{{name}}', 'null'
            )
            where jsonb_typeof(current_team -> 'users') = 'array' and exists (
                select from jsonb_array_elements(current_team -> 'users') as members (member)
                where (member ->> 'id')::bigint = any(%(ids)s)
            )
            """
        ).format(sql.Identifier(schema, "projects_users")),
        {"ids": ids},
    )


def _forget_keys(cursor: Any, ids: list[int]) -> None:
    """Take the people's numbers out of the record of changes and rejections."""
    cursor.execute(
        "delete from ops.rejections "
        "where table_name = 'users' and (key ->> 'id')::bigint = any(%s)",
        (ids,),
    )
    cursor.execute(
        """
        update ops.change_sets set keys = coalesce((
            select jsonb_agg(key) from jsonb_array_elements(keys) as changed (key)
            where not (key ->> 'id')::bigint = any(%(ids)s)
        ), '[]')
        where table_name = 'users' and exists (
            select from jsonb_array_elements(keys) as changed (key)
            where (key ->> 'id')::bigint = any(%(ids)s)
        )
        """,
        {"ids": ids},
    )
