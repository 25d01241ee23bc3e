"""`raw`, as it is now, into another engine: any destination that dlt knows.

The extraction stays on PostgreSQL, whose transactions keep its lock, its quota and its record. The
models run over the copy with the engine's dbt adapter: docs/scale.md.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
import psycopg2
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.pipeline.exceptions import PipelineStepFailed
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection

from extract.base import database
from extract.base.errors import BusyError, MirrorError, UsageError
from extract.base.lock import COPY_LOCK
from extract.base.query import scalar
from extract.base.settings import duckdb_file, lake_url, make_private, working_directory
from extract.load.copied import Copied, tables_to_copy
from extract.load.lake import Lake
from extract.load.pipeline import DATASET, named
from extract.load.resources import hints
from extract.tables import TABLES
from extract.tables.ownership import names, refuse_foreign_objects

UNDER_WAY = "copy"  # the name of the load, until dlt's own


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
        into = _into_files if destination == "filesystem" else _replace
        rows = into(pipeline, tables, connection)
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
    if not scalar(connection, "select pg_try_advisory_xact_lock(%s, %s)", COPY_LOCK):
        raise BusyError("Another `make copy` is at work. Try again when it is done.")


def _into_files(
    pipeline: dlt.Pipeline, tables: list[Copied], connection: Connection
) -> dict[str, int]:
    """Bring a folder or bucket to what is there now."""
    try:
        with pipeline.destination_client() as client:
            lake: Any = client  # a FilesystemClient
            return Lake(lake.fs_client, lake.dataset_path, connection).copy(tables)
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


def _replace(
    pipeline: dlt.Pipeline, tables: list[Copied], connection: Connection
) -> dict[str, int]:
    """Replace all tables of a destination that holds tables in SQL.

    They are replaced one after another: until all are, dlt's record names a load that is under
    way, and dbt does not build there (macros/portable/read_copy.sql).
    """
    _refuse_foreign_tables(pipeline)
    under_way = "insert into {} (load_id, status, inserted_at) values (%s, 1, %s)"
    if pipeline.default_schema_name:  # else no copy has come to its end, which is said by no record
        _record(pipeline, under_way, UNDER_WAY, datetime.now(UTC))
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
    _record(pipeline, "delete from {} where load_id = %s", UNDER_WAY)
    trace = pipeline.last_trace
    normalized = trace.last_normalize_info if trace else None
    return normalized.row_counts if normalized else {}


def _record(pipeline: dlt.Pipeline, statement: str, *values: object) -> None:
    """Change dlt's record of loads in the destination, whose table the statement leaves open."""
    with pipeline.sql_client() as client:
        client.execute_sql(
            statement.format(client.make_qualified_table_name("_dlt_loads")), *values
        )


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


def _recorded_tables(pipeline: dlt.Pipeline) -> Iterable[str]:
    """Those of the earlier copies, also of one that was killed, of which dlt restores nothing."""
    with pipeline.destination_client() as client:
        if not client.is_storage_initialized():
            return ()
        try:
            # every destination that holds tables in SQL has it
            stored = client.get_stored_schema(pipeline.pipeline_name)  # type: ignore[attr-defined]
        except DestinationUndefinedEntity:  # a schema of somebody else's
            return ()
        return json.loads(stored.schema)["tables"] if stored else ()


def _refuse_foreign_tables(pipeline: dlt.Pipeline) -> None:
    """Replace only what an earlier copy has made, by dlt's own record of it in the destination.

    Where there is no such record nothing is ours: neither in raw nor where dbt builds over it.
    """
    ours = {f"{DATASET}.{table}" for table in _recorded_tables(pipeline)}
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
