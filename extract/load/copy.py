"""`raw`, as it is now, into another engine: any destination that dlt knows.

The extraction stays on PostgreSQL, whose transactions keep its lock, its quota and its record. The
models run over the copy with the engine's dbt adapter: docs/scale.md.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from dlt.pipeline.exceptions import PipelineStepFailed
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection

from extract.base import database
from extract.base.errors import UsageError
from extract.base.settings import local_directory, make_private, path_of
from extract.load.pipeline import DATASET, named, working_directory
from extract.load.raw import Raw
from extract.load.resources import hints
from extract.tables import READS, TABLES, UNKNOWN_FIELDS, Table
from extract.tables.ownership import names, refuse_foreign_objects

ROWS_A_PIECE = 50_000


def copy(destination: str) -> dict[str, int]:
    """Replace the destination's schema `raw` by this database's, all tables of one moment.

    Args:
        destination: dlt's name of it: duckdb, motherduck, bigquery, databricks … Its credentials
            are where dlt looks for them, such as DESTINATION__MOTHERDUCK__CREDENTIALS.

    Returns:
        Rows by table.

    Raises:
        UsageError: dlt cannot use the destination, or there is no `raw` yet.
        MirrorError: The database or the destination said no.
    """
    make_private()
    connection = database.connect("fortytwo-mirror copy")
    working = working_directory("dlt-copy")
    shutil.rmtree(working, ignore_errors=True)
    mask = os.umask(0o077)  # what is written is about people
    try:
        refuse_foreign_objects(connection)
        connection.commit()
        connection.set_session(ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
        tables = sorted(Raw(connection).tables)
        if not tables:
            raise UsageError("There is nothing in `raw` to copy yet. Run `make extract` first.")
        pipeline = _pipeline(destination, working)
        _refuse_foreign_tables(pipeline)
        pipeline.run(
            [
                dlt.resource(_rows, name=table, columns=hints(TABLES[table]))(
                    connection, TABLES[table]
                )
                for table in tables
            ]
            + [
                dlt.resource(_reads, name=reads)(connection, reads, parent)
                for reads, parent in READS.items()
            ],
            write_disposition="replace",
            loader_file_format="parquet",
        )
    except PipelineStepFailed as error:
        raise named(error) from error
    finally:
        os.umask(mask)
        connection.close()
        shutil.rmtree(working, ignore_errors=True)
    trace = pipeline.last_trace
    normalized = trace.last_normalize_info if trace else None
    counts = normalized.row_counts if normalized else {}
    return {table: counts.get(table, 0) for table in tables}


def duckdb_file() -> str:
    """The file of the destination `duckdb`, which is profiles.yml's target of that name."""
    return str(path_of("FORTYTWO_DUCKDB", local_directory() / "fortytwo.duckdb"))


def _pipeline(destination: str, working: Path) -> dlt.Pipeline:
    try:
        pipeline = dlt.pipeline(
            "fortytwo_copy",
            pipelines_dir=str(working),
            destination=(
                dlt.destinations.duckdb(duckdb_file()) if destination == "duckdb" else destination
            ),
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


def _rows(connection: Connection, declared: Table) -> Iterator[pa.Table]:
    """A table in pieces, JSON as text; an empty one is an empty piece, so that it is made."""
    schema = declared.loaded_schema()
    json = {UNKNOWN_FIELDS, *(c.name for c in declared.loaded if c.data_type == "json")}
    columns = sql.SQL(", ").join(
        sql.SQL("{}::text" if name in json else "{}").format(sql.Identifier(name))
        for name in schema.names
    )
    query = sql.SQL("select {} from raw.{}").format(columns, sql.Identifier(declared.name))
    with connection.cursor(f"copy_{declared.name}") as cursor:
        cursor.execute(query)
        while True:
            rows = cursor.fetchmany(ROWS_A_PIECE)
            values: list[Any] = list(zip(*rows, strict=True)) or [()] * len(schema)
            yield pa.table(values, schema=schema)
            if len(rows) < ROWS_A_PIECE:
                return


def _reads(connection: Connection, reads: str, parent: str) -> Iterator[pa.Table]:
    """Whose relations were read, which the reports divide by: a table of ops."""
    columns = {"resource": pa.string(), parent: pa.int64(), "read_at": pa.timestamp("us", "UTC")}
    query = sql.SQL("select resource, {}, read_at from {}").format(
        sql.Identifier(parent), sql.Identifier("ops", reads)
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        values: list[Any] = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(columns)
        yield pa.table(values, schema=pa.schema(list(columns.items())))
