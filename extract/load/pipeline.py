"""From the API into the schema `raw`: one pass, loaded whole or not at all.

dlt's working folder is emptied before each pass and its state restored from the database: a killed
run leaves no pending package that swallows the next one, and the folder never grows. What a killed
run had read is in the cache of listings.
"""

import errno
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import dlt
import psycopg2
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from dlt.extract import DltResource
from dlt.pipeline import trace
from dlt.pipeline.exceptions import PipelineStepFailed
from psycopg2.extensions import make_dsn

from extract.base import logs
from extract.base.database import parameters
from extract.base.errors import MirrorError
from extract.base.settings import working_directory
from extract.base.sqlstate import disk_full, explained
from extract.load.context import Pass
from extract.load.destination import exact_postgres

PIPELINE = "fortytwo"
DATASET = "raw"
# compression costs 15 s a million rows, and nothing here is kept
CONFIG = {
    # a resource builds on the one before it (students on campuses, cursus_users on students)
    "extract.next_item_mode": "fifo",
    "data_writer.disable_compression": True,
    "normalize.parquet_normalizer.add_dlt_load_id": True,
    "load.delete_completed_jobs": True,
    "load.truncate_staging_dataset": True,
    "load.raise_on_max_retries": 2,
}
# dlt's own modules number this installation in a file in the home, or in /var/dlt, telemetry or not
trace.TRACKING_MODULES = []


class Loader:
    """Loads passes into `raw`; one at a time, under the run's lock. Empties dlt's folder."""

    def __init__(self) -> None:
        directory = working_directory("dlt")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700, parents=True)
        for key, value in CONFIG.items():
            dlt.config[key] = value
        self._pipeline = dlt.pipeline(
            PIPELINE,
            pipelines_dir=str(directory),
            destination=exact_postgres(credentials=_credentials()),
            dataset_name=DATASET,
        )
        # dlt warns on every run that json columns come as text, as they are meant to, and shows, of
        # what fails, tracebacks and the database's own words, which may hold people's data
        logging.getLogger("dlt").setLevel(logging.CRITICAL)
        self._pipeline.sync_destination()

    def load(
        self,
        context: Pass,
        resources: Callable[[Pass], Sequence[DltResource]],
        on_extracted: Callable[[], None] = lambda: None,
    ) -> None:
        """Read and load one pass.

        Args:
            resources: Makes the pass's resources.
            on_extracted: Called between reading and loading.

        Raises:
            MirrorError: The API, the contract, the guard or the database said no; `raw` is as it
                was, and what was read completely is in the cache of listings.
        """

        @dlt.source(name=PIPELINE, max_table_nesting=0)
        def fortytwo() -> Iterable[DltResource]:
            yield from resources(context)

        started = time.monotonic()
        try:
            self._pipeline.extract(fortytwo(), loader_file_format="csv")
            on_extracted()
            self._pipeline.normalize()
            context.raw.set_scope(context.scope)
            if self._pipeline.has_pending_data:
                self._pipeline.load()
        except BaseException as error:
            with suppress(Exception):
                self._pipeline.abort_packages()
            raise named(error) from error
        finally:
            with suppress(psycopg2.Error):
                context.raw.set_scope({})
        context.raw.create_indexes()
        context.raw.record_deletions()
        logs.event(
            "load",
            rows=loaded_rows(self._pipeline),
            milliseconds=round(1000 * (time.monotonic() - started)),
        )


def loaded_rows(pipeline: dlt.Pipeline) -> dict[str, int]:
    """Rows that the last load carried, by table."""
    trace = pipeline.last_trace
    normalized = trace.last_normalize_info if trace else None
    counts = normalized.row_counts if normalized else {}
    return {name: rows for name, rows in counts.items() if not name.startswith("_dlt") and rows}


class LibpqCredentials(PostgresCredentials):
    """What dlt connects with, as libpq's keywords: its URL garbles spaces."""

    def to_native_representation(self) -> str:
        """Everything that is in effect; passwords of ~/.pgpass are libpq's to find."""
        return make_dsn(**parameters())


def _credentials() -> LibpqCredentials:
    values = parameters()
    credentials = LibpqCredentials()
    credentials.host, credentials.port = values["host"], int(values["port"])
    credentials.username, credentials.database = values["user"], values["dbname"]
    credentials.password = ""
    credentials.query = {"options": values["options"]}  # dlt adds its search_path
    credentials.resolve()
    return credentials


def named(error: BaseException) -> BaseException:
    """The error that a person can use, out of dlt's wrappers."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    # what a generator's end is the context of is an accident of dlt's
    while not (current is None or current in chain or isinstance(current, StopIteration)):
        chain.append(current)
        inner = getattr(current, "exception", None)
        current = (
            inner if isinstance(inner, BaseException) else current.__cause__ or current.__context__
        )
    for link in chain:
        if isinstance(link, (MirrorError, KeyboardInterrupt)):
            return link
        if isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT):
            return MirrorError(
                "The disk is full: the pass could not be written. `raw` and `mirror` are as "
                "before. Free some space and run the same command again; what was read completely "
                "is kept."
            )
    for link in chain:
        text = str(link)  # of a load job dlt hands on no more than that
        if "No space left on device" in text or "could not extend file" in text:
            return disk_full()
        if isinstance(link, psycopg2.Error):
            return explained(link)
    if isinstance(error, PipelineStepFailed):
        last = chain[-1]
        return MirrorError(
            f"dlt's step {error.step!r} failed: {type(last).__name__}: {_first_line(last)}. `raw` "
            "and `mirror` are as before; run the same command again, and report this if it stays."
        )
    return error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0][:300]
