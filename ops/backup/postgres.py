"""Sessions and programs at one database of the mirror's server; checksums of its tables."""

from __future__ import annotations

import os

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base import database

# what `dbt build` and a load make anew; a backup would only hold them up
REBUILT = ("marts", "staging", "intermediate", "raw_staging")
REBUILT_TABLES = ("ops.delete_scope", "ops.candidates")


def connect(database_name: str, purpose: str) -> Connection:
    """Connect to a database of the mirror's server, in autocommit mode.

    Raises:
        MirrorError: There is no such database, or it lets nobody in.
    """
    return database.connect(f"fortytwo-mirror {purpose}", autocommit=True, name=database_name)


def variables(database_name: str) -> dict[str, str]:
    """The environment of a program that shall reach a database; passwords are in no argument."""
    return {**os.environ, **database.libpq_environment(database_name), "LC_ALL": "C"}


def tables(connection: Connection) -> list[tuple[str, str]]:
    """Schema and name of every table that a backup holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select nspname, relname from pg_class join pg_namespace on pg_namespace.oid = "
            "relnamespace where relkind = 'r' and nspname !~ '^pg_' "
            "and nspname <> 'information_schema' and nspname <> all(%s) "
            "and nspname || '.' || relname <> all(%s) order by 1, 2",
            (list(REBUILT), list(REBUILT_TABLES)),
        )
        return [(str(schema), str(name)) for schema, name in cursor.fetchall()]


def checksums(connection: Connection) -> dict[str, tuple[int, str]]:
    """Rows and checksum of every table, the same wherever and in whatever order the rows lie."""
    found = {}
    with connection.cursor() as cursor:
        for schema, name in tables(connection):
            cursor.execute(
                sql.SQL(
                    "select count(*), coalesce(sum(('x' || substr(md5(entry::text), 1, 15))"
                    "::bit(60)::bigint), 0) from {} as entry"
                ).format(sql.Identifier(schema, name))
            )
            rows, checksum = cursor.fetchone() or (0, 0)
            found[f"{schema}.{name}"] = (int(rows), f"{int(checksum):x}")
    return found


def differences(
    expected: dict[str, tuple[int, str]], found: dict[str, tuple[int, str]]
) -> list[str]:
    """What a restored database lacks or has too much, a sentence a table."""
    sentences = []
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            sentences.append(f"{name} is missing")
        elif name not in expected:
            sentences.append(f"{name} is not in the backup")
        elif expected[name][0] != found[name][0]:
            sentences.append(f"{name} has {found[name][0]:,} rows instead of {expected[name][0]:,}")
        elif expected[name] != found[name]:
            sentences.append(f"{name} has other contents")
    return sentences
