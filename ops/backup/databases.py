"""Whole databases of the mirror's server: made, dropped, renamed; restores need that."""

from __future__ import annotations

import time

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base import database
from extract.base.errors import MirrorError
from ops.backup import postgres


def create(name: str) -> None:
    """Make an empty database."""
    administer(sql.SQL("create database {} template template0").format(sql.Identifier(name)))


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


def empty(connection: Connection) -> None:
    """Drop what a failed restore has made of a database that was empty before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select nspname from pg_namespace where nspname !~ '^pg_' "
            "and nspname not in ('information_schema', 'public')"
        )
        for (schema,) in cursor.fetchall():
            cursor.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))


def state(name: str) -> tuple[bool, bool]:
    """Whether a database exists, and whether it is empty."""
    try:
        connection = postgres.connect(name, "restore")
    except MirrorError as error:
        if f'database "{name}" does not exist' in str(error):
            return False, True
        raise
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "select not exists (select from pg_class join pg_namespace "
                "on pg_namespace.oid = relnamespace where relkind in ('r', 'p', 'v', 'm') "
                "and nspname !~ '^pg_' and nspname <> 'information_schema')"
            )
            return True, bool((cursor.fetchone() or (False,))[0])
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
                "select datname from pg_database where starts_with(datname, %s) and not exists "
                "(select from pg_stat_activity where datname = pg_database.datname)",
                (prefix,),
            )
            names = [name for (name,) in cursor.fetchall()]
    finally:
        connection.close()
    for name in names:
        drop(name)
