"""PostgreSQL's own programs, of a version that the server can be used with; checksums of tables."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract import embedded
from extract.base import database
from extract.base.errors import MirrorError

DEBIAN = Path("/usr/lib/postgresql")
# what `dbt build` and a load make anew; a backup would only hold them up
REBUILT = ("marts", "staging", "intermediate", "raw_staging")
REBUILT_TABLES = ("ops.delete_scope", "ops.candidates")


def program(name: str, server_version: int) -> str:
    """pg_dump or pg_restore, at least as new as the server.

    Args:
        name: `pg_dump` or `pg_restore`.
        server_version: As libpq has it, e.g. 180001.

    Raises:
        MirrorError: None that is installed is new enough.
    """
    wanted = server_version // 10000
    for path in _candidates(name):
        if _version(path) >= wanted:
            return os.fspath(path)
    raise MirrorError(
        f"The server is PostgreSQL {wanted}, and no {name} of that version or a newer one is "
        f"installed here. Install the package postgresql-client-{wanted}, then run the command "
        "again."
    )


def _candidates(name: str) -> Iterable[Path]:
    yield embedded.binary(name)
    installed = DEBIAN.glob(f"*/bin/{name}") if DEBIAN.is_dir() else ()
    yield from sorted(installed, key=lambda path: path.parts[-3], reverse=True)
    found = shutil.which(name)
    if found:
        yield Path(found)


def _version(path: Path) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(match[1]) if match else 0


def connect(database_name: str, purpose: str) -> Connection:
    """Connect to another database of the mirror's server, in autocommit mode.

    Raises:
        psycopg2.OperationalError: There is no such database, or it lets nobody in.
    """
    database.ensure_server()
    values = database.libpq_environment()
    connection = psycopg2.connect(
        host=values["PGHOST"],
        port=values["PGPORT"],
        user=values["PGUSER"],
        password=values["PGPASSWORD"] or None,
        dbname=database_name,
        application_name=f"fortytwo-mirror {purpose}",
        client_encoding="utf8",
        connect_timeout=10,
    )
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("set timezone to 'UTC'")
    return connection


def variables(database_name: str) -> dict[str, str]:
    """The environment of a program that shall reach a database; passwords are in no argument."""
    values = {**database.libpq_environment(), "PGDATABASE": database_name}
    password = values.pop("PGPASSWORD")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG") or k == "PGSSLMODE"}
    return kept | values | ({"PGPASSWORD": password} if password else {}) | {"LC_ALL": "C"}


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
        for name, value in (
            ("datestyle", "ISO"),
            ("intervalstyle", "postgres"),
            ("extra_float_digits", "1"),
            ("bytea_output", "hex"),
            ("timezone", "UTC"),
        ):
            cursor.execute("select set_config(%s, %s, false)", (name, value))
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
