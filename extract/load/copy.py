"""`raw`, as it is now, into another engine: any destination that dlt knows.

The extraction stays on PostgreSQL, whose transactions keep its lock, its quota and its record. The
models run over the copy with the engine's dbt adapter: docs/scale.md.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
from dlt.pipeline.exceptions import PipelineStepFailed
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection

from extract.base import database
from extract.base.errors import BusyError, UsageError
from extract.base.lock import COPY_LOCK
from extract.base.settings import duckdb_file, lake_url, make_private, working_directory
from extract.load.copied import Copied, tables_to_copy
from extract.load.lake import Lake
from extract.load.pipeline import DATASET, named
from extract.load.resources import hints
from extract.tables import TABLES
from extract.tables.ownership import names, refuse_foreign_objects


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
        pipeline = _pipeline(destination, working)
        if destination == "filesystem":
            with pipeline.destination_client() as client:
                lake: Any = client  # a FilesystemClient
                rows = Lake(lake.fs_client, lake.dataset_path, connection).copy(tables)
        else:
            rows = _replace(pipeline, tables, connection)
    except PipelineStepFailed as error:
        raise named(error) from error
    finally:
        os.umask(mask)
        connection.close()
        shutil.rmtree(working, ignore_errors=True)
        lock.close()
    return {table.name: rows.get(table.name, 0) for table in tables if table.schema == DATASET}


def _refuse_second_copy(connection: Connection) -> None:
    """Hold the copy's lock as long as the connection's transaction lasts.

    Raises:
        BusyError: Another copy holds it.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_xact_lock(%s, %s)", COPY_LOCK)
        if cursor.fetchone() != (True,):
            raise BusyError("Another `make copy` is at work. Try again when it is done.")


def _replace(
    pipeline: dlt.Pipeline, tables: list[Copied], connection: Connection
) -> dict[str, int]:
    """Replace all tables of a destination that holds tables in SQL."""
    _refuse_foreign_tables(pipeline)
    pipeline.run(
        [
            dlt.resource(
                table.rows(connection),
                name=table.name,
                columns=hints(TABLES[table.name]) if table.name in TABLES else {},
            )
            for table in tables
        ],
        write_disposition="replace",
        loader_file_format="parquet",
    )
    trace = pipeline.last_trace
    normalized = trace.last_normalize_info if trace else None
    return normalized.row_counts if normalized else {}


def _pipeline(destination: str, working: Path) -> dlt.Pipeline:
    of_ours: dict[str, Callable[[], Any]] = {
        "duckdb": lambda: dlt.destinations.duckdb(duckdb_file()),
        "filesystem": lambda: dlt.destinations.filesystem(lake_url()),
    }
    try:
        pipeline = dlt.pipeline(
            "fortytwo_copy",
            pipelines_dir=str(working),
            destination=of_ours[destination]() if destination in of_ours else destination,
            dataset_name=DATASET,
        )
        pipeline.sync_destination()
    except Exception as error:
        reason = str(getattr(error, "exception", error)).strip().splitlines()[0].rstrip(".:")
        raise UsageError(
            f"dlt cannot use the destination {destination!r}: {reason}. Give it a name that dlt "
            "knows, install its package, and set its credentials: docs/scale.md."
        ) from error
    # as in pipeline.py: its tracebacks may hold people's data
    logging.getLogger("dlt").setLevel(logging.CRITICAL)
    return pipeline


def _refuse_foreign_tables(pipeline: dlt.Pipeline) -> None:
    """Replace only what an earlier copy has made, by dlt's own record of it in the destination.

    Where there is no such record nothing is ours: neither in raw nor where dbt builds over it.
    """
    ours = {f"{DATASET}.{table}" for schema in pipeline.schemas.values() for table in schema.tables}
    schemas = (DATASET,) if ours else (DATASET, "staging", "intermediate", "marts")
    foreign = []
    for schema in schemas:
        wanted = [name.partition(".")[2] for name in names() if name.startswith(f"{schema}.")]
        looking = dlt.pipeline(
            f"fortytwo_look_at_{schema}",
            pipelines_dir=pipeline.pipelines_dir,
            destination=pipeline.destination,
            dataset_name=schema,
        )
        with looking.destination_client() as client:
            if client.is_storage_initialized():
                # every destination that holds tables in SQL has it
                there = client.get_storage_tables(wanted)  # type: ignore[attr-defined]
                foreign += [f"{schema}.{table}" for table, columns in there if columns]
    foreign = [name for name in foreign if name not in ours]
    pipeline.activate()
    if foreign:
        raise UsageError(
            f"The destination has tables that no copy of this mirror made: {', '.join(foreign)}. "
            "Nothing was copied. Name another file or database (FORTYTWO_DUCKDB, or where dlt "
            "looks for the destination's credentials: docs/scale.md)."
        )
