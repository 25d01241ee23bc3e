"""Whole databases of the mirror's server: made, dropped, renamed; restores need that."""

from __future__ import annotations

import time

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base import database
from extract.base.errors import MirrorError
from ops.backup import postgres

SCRATCH = "A restore drill of fortytwo-mirror makes and drops it."


def create(name: str) -> None:
    """Make an empty database."""
    administer(sql.SQL("create database {} template template0").format(sql.Identifier(name)))


def mark_scratch(name: str) -> None:
    """Let `drop_scratch` know that a database is the drill's."""
    statement = sql.SQL("comment on database {} is {}")
    administer(statement.format(sql.Identifier(name), sql.Literal(SCRATCH)))


def rename(name: str, other: str) -> None:
    """Rename a database; its sessions end, also those that come back at once."""
    statement = sql.SQL("alter database {} rename to {}")
    for patience in reversed(range(10)):
        end_sessions(name)
        try:
            administer(statement.format(sql.Identifier(name), sql.Identifier(other)))
            return
        except psycopg2.errors.ObjectInUse as error:
            if not patience:
                raise MirrorError(
                    f"Programs connect to {name} faster than they can be sent away: stop them, "
                    "then run the command again. Nothing was replaced."
                ) from error
            time.sleep(0.1)


OBJECTS = """
    with spaces as (
        select oid, nspname from pg_namespace
        where nspname !~ '^pg_' and nspname <> 'information_schema'
    )
    select found.name, found.kind, found.is_marked
    from (
        select
            'pg_class'::regclass as catalog, relation.oid, nspname || '.' || relname as name,
            case
                when relkind in ('v', 'm') then 'view' when relkind = 'c' then 'type' else 'table'
            end as kind,
            coalesce(obj_description(relation.oid, 'pg_class'), '') like '%[fortytwo-mirror]'
                as is_marked
        from pg_class as relation
        inner join spaces on relnamespace = spaces.oid
        where relkind in ('r', 'p', 'f', 'v', 'm', 'c') or (
            relkind = 'S' and not exists (
                select from pg_depend where objid = relation.oid and deptype in ('a', 'i')
            )
        )
        union all
        select
            'pg_proc'::regclass, pg_proc.oid,
            format('%s.%s(%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid)),
            'function', false
        from pg_proc inner join spaces on pronamespace = spaces.oid
        union all
        select 'pg_type'::regclass, pg_type.oid, nspname || '.' || typname, 'type', false
        from pg_type inner join spaces on typnamespace = spaces.oid
        where typtype in ('e', 'd', 'r')
        union all
        select 'pg_namespace'::regclass, spaces.oid, nspname, 'schema', false
        from spaces where nspname <> 'public'
    ) as found
    where not exists (
        select from pg_depend
        where classid = found.catalog and objid = found.oid and deptype = 'e'
    )
    order by 1
"""


def objects(connection: Connection) -> list[tuple[str, str, bool]]:
    """Everything in a database but what extensions brought: name, kind, whether it is marked ours.

    Materialized views are views: what is in them can be made anew.
    """
    with connection.cursor() as cursor:
        cursor.execute(OBJECTS)
        return cursor.fetchall()


def empty(connection: Connection) -> None:
    """Drop what a failed restore has made of a database that was empty before."""
    with connection.cursor() as cursor:
        for name, kind, _ in objects(connection):
            if kind == "schema":
                cursor.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(name)))


def state(name: str) -> tuple[bool, bool]:
    """Whether a database exists, and whether it is empty."""
    try:
        connection = postgres.connect(name, "restore")
    except MirrorError as error:
        if f'database "{name}" does not exist' in str(error):
            return False, True
        raise
    try:
        return True, not objects(connection)
    finally:
        connection.close()


def administer(statement: sql.Composable) -> None:
    """Run a statement that concerns whole databases, from one that it does not concern."""
    connection: Connection | None = None
    for name in ("postgres", "template1"):
        try:
            connection = postgres.connect(name, "restore")
            break
        except MirrorError as error:
            trouble = error
    if connection is None:
        raise MirrorError(
            f"Neither the database postgres nor template1 lets us in: {trouble}"
        ) from trouble
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except psycopg2.errors.InsufficientPrivilege as error:
        raise MirrorError(
            "This role may not create, rename or drop databases on the server. Let an "
            "administrator make an empty database that this role owns, and restore into it: "
            "make restore FILE=… DATABASE=its_name."
        ) from error
    except psycopg2.errors.DiskFull as error:
        raise MirrorError("The database's disk is full. Nothing was replaced.") from error
    finally:
        connection.close()


def end_sessions(name: str) -> None:
    """Disconnect everybody from a database."""
    administer(
        sql.SQL("select pg_terminate_backend(pid) from pg_stat_activity where datname = {}").format(
            sql.Literal(name)
        )
    )


def drop(name: str) -> None:
    """Drop a database if it is there, whoever uses it."""
    administer(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def drop_scratch(prefix: str) -> None:
    """Drop what killed drills have left."""
    connection = postgres.connect(database.libpq_environment()["PGDATABASE"], "restore")
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "select datname from pg_database where starts_with(datname, %s) "
                "and shobj_description(oid, 'pg_database') = %s and not exists "
                "(select from pg_stat_activity where datname = pg_database.datname)",
                (prefix, SCRATCH),
            )
            names = [name for (name,) in cursor.fetchall()]
    finally:
        connection.close()
    for name in names:
        drop(name)
