"""`raw`, as it is now, into another engine: any destination that dlt knows.

The extraction stays on PostgreSQL, whose transactions keep its lock, its quota and its record. The
models run over the copy with the engine's dbt adapter: docs/scale.md.
"""

import os
import shutil
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import psycopg2
from fsspec.implementations.local import LocalFileSystem
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection

from extract.base import database
from extract.base.errors import BusyError, MirrorError, UsageError
from extract.base.lock import COPY_LOCK
from extract.base.query import scalar
from extract.base.settings import lake_url, make_private, working_directory
from extract.load.copied import Copied, tables_to_copy
from extract.load.lake import Lake
from extract.tables.ownership import refuse_foreign_objects


def copy(destination: str) -> dict[str, int]:
    """Bring the destination's `raw` to this database's, all tables of one moment.

    Args:
        destination: dlt's name of it: duckdb, motherduck, bigquery, databricks … where `raw` is
            replaced, or filesystem, where what has changed is added (lake.py). Its credentials
            are where dlt looks for them, such as DESTINATION__MOTHERDUCK__CREDENTIALS.

    Returns:
        Rows by table.

    Raises:
        UsageError: dlt cannot use the destination, or there is no `raw` yet.
        BusyError: Another copy is at work.
        MirrorError: The database or the destination said no.
    """
    make_private()
    lock = database.connect("fortytwo-mirror copy, its lock")
    connection = database.connect("fortytwo-mirror copy")
    working = working_directory("dlt-copy")
    mask = os.umask(0o077)  # what is written is about people
    try:
        _refuse_second_copy(lock)
        shutil.rmtree(working, ignore_errors=True)
        refuse_foreign_objects(connection)
        connection.commit()
        connection.set_session(ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
        tables = tables_to_copy(connection)
        if not tables:
            raise UsageError("There is nothing in `raw` to copy yet. Run `make extract` first.")
        if destination == "filesystem":
            rows = _into_files(tables, connection, working)
        else:
            from extract.load.other_engine import replace

            rows = replace(destination, working, tables, connection)
    finally:
        os.umask(mask)
        connection.close()
        shutil.rmtree(working, ignore_errors=True)
        lock.close()
    return {table.name: rows.get(table.name, 0) for table in tables if table.schema == "raw"}


def _refuse_second_copy(connection: Connection) -> None:
    """Hold the copy's lock as long as the connection's transaction lasts.

    Raises:
        BusyError: Another copy holds it.
    """
    if not scalar(connection, "select pg_try_advisory_xact_lock(%s, %s)", COPY_LOCK):
        raise BusyError("Another `make copy` is at work. Try again when it is done.")


def _into_files(tables: list[Copied], connection: Connection, working: Path) -> dict[str, int]:
    """Bring a folder or bucket to what is there now."""
    try:
        with _files(working) as (files, path):
            return Lake(files, path, connection).copy(tables)
    except (MirrorError, psycopg2.Error):
        raise
    except Exception as error:  # the libraries of buckets have no class of errors in common
        if getattr(error, "filename", None):
            raise  # a path says what is meant
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise MirrorError(
            f"The copy could not be written: {reason}. Who reads it finds the last one. Remove the "
            "cause and run the same command again."
        ) from error


def _files(working: Path) -> AbstractContextManager[tuple[Any, str]]:
    """The file system of the copies, fsspec's, and their folder in it, as dlt would open it."""
    url = lake_url()
    if "://" not in url:
        return nullcontext((LocalFileSystem(), f"{url}/raw"))

    from extract.load.other_engine import bucket

    return bucket(working)
