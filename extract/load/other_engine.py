"""Any destination that dlt knows: it replaces tables in SQL, and opens buckets.

Apart from copy.py, because a copy into a folder takes a second less without dlt's imports.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.exceptions import MissingDependencyException
from dlt.destinations.exceptions import DestinationConnectionError
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.pipeline.exceptions import PipelineStepFailed
from psycopg2.extensions import connection as Connection

from extract.base.errors import UsageError
from extract.base.settings import duckdb_file, lake_url
from extract.load.copied import Copied
from extract.load.pipeline import DATASET, loaded_rows, named
from extract.load.resources import hints
from extract.tables import TABLES
from extract.tables.ownership import names

UNDER_WAY = "copy"  # the name of the load, until dlt's own


@contextmanager
def bucket(working: Path) -> Iterator[tuple[Any, str]]:
    """The destination `filesystem`: fsspec's file system, with its credentials, and the path in it.

    Args:
        working: A folder for dlt's own files.

    Raises:
        UsageError: dlt cannot use it.
    """
    with _pipeline("filesystem", working).destination_client() as client:
        opened: Any = client  # a FilesystemClient
        yield opened.fs_client, opened.dataset_path


def replace(
    destination: str, working: Path, tables: list[Copied], connection: Connection
) -> dict[str, int]:
    """Replace all tables of a destination that holds tables in SQL.

    They are replaced one after another: until all are, dlt's record names a load that is under
    way, and dbt does not build there (macros/portable/read_copy.sql).

    Args:
        destination: dlt's name of it.
        working: A folder for dlt's own files.

    Returns:
        Rows by table.

    Raises:
        UsageError: dlt cannot use the destination, or it holds tables of somebody else.
        MirrorError: The destination said no.
    """
    pipeline = _pipeline(destination, working)
    _refuse_foreign_tables(pipeline)
    under_way = "insert into {} (load_id, status, inserted_at) values (%s, 1, %s)"
    if pipeline.default_schema_name:  # else no copy has come to its end, which is said by no record
        _record(pipeline, under_way, UNDER_WAY, datetime.now(UTC))
    try:
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
    except PipelineStepFailed as error:
        raise named(error) from error
    _record(pipeline, "delete from {} where load_id = %s", UNDER_WAY)
    return loaded_rows(pipeline)


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
        cause = getattr(error, "exception", error)
        if isinstance(cause, MissingDependencyException):
            packages = " ".join(f"'{package}'" for package in cause.dependencies)
            raise UsageError(
                f"The destination {destination!r} needs a package that is not installed. Run "
                f"`.venv/bin/pip install {packages}`, then the same command again."
            ) from error
        if isinstance(cause, DestinationConnectionError):
            reason = str(cause.inner_exc).strip().splitlines()[0].rstrip(".!")
            raise UsageError(
                f"The destination {destination!r} cannot be opened: {reason}. Where another "
                "program has it open, close that; else correct its name and credentials: "
                "docs/scale.md."
            ) from error
        reason = str(cause).strip().splitlines()[0].rstrip(".:")
        raise UsageError(
            f"dlt cannot use the destination {destination!r}: {reason}. Give it a name that dlt "
            "knows, install its package, and set its credentials: docs/scale.md."
        ) from error
    # as in pipeline.py: its tracebacks may hold people's data
    logging.getLogger("dlt").setLevel(logging.CRITICAL)
    return pipeline


def _recorded_tables(pipeline: dlt.Pipeline) -> Iterable[str]:
    """Those of the earlier copies, also of one that was killed, of which dlt restores nothing.

    Raises:
        UsageError: The destination holds no tables in SQL.
    """
    with pipeline.destination_client() as client:
        if not isinstance(client, SqlJobClientBase):
            raise UsageError(
                "The destination holds no tables in SQL, which dbt could build over. Name another "
                "one: docs/scale.md."
            )
        if not client.is_storage_initialized():
            return ()
        try:
            stored = client.get_stored_schema(pipeline.pipeline_name)
        except DestinationUndefinedEntity:  # a schema of somebody else's
            return ()
        tables: dict[str, Any] = json.loads(stored.schema)["tables"] if stored else {}
        return tables


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
