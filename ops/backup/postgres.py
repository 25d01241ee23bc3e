"""What PostgreSQL's programs need for a backup or restore; checksums of a database's tables."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract import programs
from extract.base import database
from extract.base.errors import MirrorError
from extract.base.query import execute, scalar
from extract.tables.ownership import schemas

# what `dbt build` and a load make anew; a backup would only hold them up
REBUILT = ("marts", "staging", "intermediate", "raw_staging")
REBUILT_TABLES = ("ops.delete_scope", "ops.candidates")
ONLY_THERE = "pg_attver"

# schemas of others with something that pg_dump would need to read and may not, and, because a
# backup without them could not be restored, those with something that stands on them
UNREADABLE = """
    with recursive homes as (
        select 'pg_class'::regclass as catalog, oid as id, relnamespace as space from pg_class
        union all select 'pg_proc'::regclass, oid, pronamespace from pg_proc
        union all select 'pg_type'::regclass, oid, typnamespace from pg_type
        union all select 'pg_constraint'::regclass, oid, connamespace from pg_constraint
        union all select 'pg_rewrite'::regclass, rule.oid, relnamespace
        from pg_rewrite as rule inner join pg_class on pg_class.oid = ev_class
        union all select 'pg_attrdef'::regclass, entry.oid, relnamespace
        from pg_attrdef as entry inner join pg_class on pg_class.oid = adrelid
        union all select 'pg_trigger'::regclass, entry.oid, relnamespace
        from pg_trigger as entry inner join pg_class on pg_class.oid = tgrelid
    ),
    left_out (space) as (
        select relnamespace from pg_class
        where relkind in ('r', 'p', 'S') and relpersistence <> 't'
            and relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'
            and not relnamespace::regnamespace::text = any(%(ours)s)
            and (
                not has_schema_privilege(relnamespace, 'usage')
                or not has_table_privilege(oid, 'select') or row_security_active(oid)
            )
            and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e')
        union
        select standing.space
        from left_out
        inner join homes as source using (space)
        inner join pg_depend on refclassid = source.catalog and refobjid = source.id
        inner join homes as standing on classid = standing.catalog and objid = standing.id
    )
    select nspname, nspname = any(%(ours)s)
    from left_out inner join pg_namespace on oid = space order by 1
"""


def unreadable(connection: Connection) -> list[str]:
    """The schemas of others that a backup leaves out, because this role may not read them.

    Raises:
        MirrorError: Something in a schema of the mirror stands on them.
    """
    found = execute(connection, UNREADABLE, {"ours": schemas()})
    left_out = [schema for schema, is_ours in found if not is_ours]
    standing = [schema for schema, is_ours in found if is_ours and schema not in REBUILT]
    if standing:
        raise MirrorError(
            f"This role may not read all of {', '.join(left_out)}, and without them "
            f"{', '.join(standing)} could not be restored, where something stands on them. Let "
            "their owner grant it select, or move what stands on them."
        )
    return left_out


def kept_to_its_server(connection: Connection, pg_dump: str) -> bool:
    """Whether a backup by this pg_dump has something in it that only a server like this one knows.

    PostgreSQL 15.20 keeps a parameter at each column, which the pg_dump of its version leaves out.
    """
    if programs.major_version(Path(pg_dump)) == connection.server_version // 10000:
        return False
    query = "select exists (select from pg_attribute where attrelid >= 16384 and %s = any("
    query += "select split_part(given, '=', 1) from unnest(attoptions) as given))"
    return bool(scalar(connection, query, (ONLY_THERE,)))


def variables(database_name: str) -> dict[str, str]:
    """The environment of a program that shall reach a database; passwords are in no argument."""
    return {**os.environ, **database.program_environment(database_name), "LC_ALL": "C"}


@contextmanager
def running(
    command: Sequence[str], database_name: str, **pipes: Any
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A program while it runs at a database, and what it says of errors; killed on an exception."""
    with tempfile.TemporaryFile() as said:
        environment = variables(database_name)
        process = subprocess.Popen(command, stderr=said, env=environment, **pipes)
        try:
            yield process, said
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()


def advice(said: str) -> str:
    """What mends an error of pg_dump or pg_restore that their own words do not explain; or ""."""
    if "unsupported version" in said:
        return (
            " The programs here are older than those that wrote the backup: install the newest "
            "package postgresql-client (postgresql-client-18 or newer), then run the command again."
        )
    if ONLY_THERE in said:
        return (
            " The backup holds what only a server of the version that wrote it knows: "
            "docs/upgrade.md has the way into another one."
        )
    if re.search(r"no encryption|SSL off|SSL connection is required", said):
        return (
            " The server wants encryption: put PGSSLMODE=require into .env and install the package "
            "postgresql-client, because the programs in .venv know no TLS (docs/install.md)."
        )
    return ""


def tables(connection: Connection, left_out: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Schema and name of every table that a backup holds."""
    found = execute(
        connection,
        "select nspname, relname from pg_class join pg_namespace on pg_namespace.oid = "
        "relnamespace where relkind = 'r' and nspname !~ '^pg_' "
        "and nspname <> 'information_schema' and nspname <> all(%s) "
        "and nspname || '.' || relname <> all(%s) order by 1, 2",
        ([*REBUILT, *left_out], list(REBUILT_TABLES)),
    )
    return [(schema, name) for schema, name in found]


def checksums(connection: Connection, left_out: Sequence[str] = ()) -> dict[str, tuple[int, str]]:
    """Rows and checksum of every table, the same wherever and in whatever order the rows lie."""
    found = {}
    query = sql.SQL(
        "select count(*), coalesce(sum(('x' || substr(md5(entry::text), 1, 15))"
        "::bit(60)::bigint), 0) from {} as entry"
    )
    for schema, name in tables(connection, left_out):
        ((rows, checksum),) = execute(connection, query.format(sql.Identifier(schema, name)))
        found[f"{schema}.{name}"] = (rows, f"{int(checksum):x}")
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
