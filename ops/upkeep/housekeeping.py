"""What a sync does for the database's health; never the reason that a run fails.

It forgets, so that years of runs fit on a small disk.

Bounds, tested: the schema ops 40 MB at 4,320 calls a day (a full pass, 96 live ones and the
reconciliation); the log files 40 MB with every call that the API allows.

| what | kept |
|---|---|
| ops.api_calls, ops.listings, ops.deleted_rows | 30 days (extract/load/record.py) |
| log files | 30 days (extract/base/logs.py) |
| ops.runs | 400 days when published, else 30; always the last of each mode |
| ops.changes | CHANGES_RETENTION_DAYS (the publication) |
| ops.rejections that are over | CHANGES_RETENTION_DAYS (the publication) |
| sessions in raw and mirror | SEATS_RETENTION_DAYS (extract/load/raw.py) |
| evaluations in raw and mirror | EVALUATIONS_RETENTION_DAYS (extract/load/raw.py) |
| what was read of people who left, of events that are gone | not at all (extract/load/raw.py) |
| .local/postgres.log | 10 MB, and one file before it, compressed |
| .local/dbt/logs | 10 MB and five files before it (dbt itself) |
| backups | the newest of 7 days and of 4 weeks (ops/backup/archive.py) |
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2
from psycopg2.extensions import connection as Connection

from extract.base import logs
from extract.base.folders import compress
from extract.base.query import execute
from extract.base.settings import local_directory
from ops.upkeep import hygiene

PATIENCE = "5s"
LONG_DAYS = 400
SHORT_DAYS = 30
LARGEST_SERVER_LOG = 10_000_000
OLD_RUNS = """
    delete from ops.runs
    where
        started_at < now() - case
            when published_at is null then make_interval(days => %(short)s)
            else make_interval(days => %(long)s)
        end
        and run_id not in (
            select distinct on (mode) run_id from ops.runs order by mode, started_at desc
        )
        and run_id not in (
            select run_id from ops.runs where published_at is not null
            order by published_at desc limit 1
        )
    returning run_id
"""


def before_build(connection: Connection) -> None:
    """Up-to-date statistics for the build that follows a load."""
    with _harmless(connection, "analyze"):
        names = hygiene.analyze_changed(connection)
        if names:
            logs.event("analyze", tables=names)


def after_full(connection: Connection) -> None:
    """Once a day: settings that new tables lack, and what is too old."""
    with _harmless(connection, "housekeeping"):
        tuned = hygiene.tune(connection)
        gone = prune(connection)
        tidy_files()
        logs.event("housekeeping", tuned=tuned or None, forgotten=gone or None)


@contextmanager
def _harmless(connection: Connection, what: str) -> Iterator[None]:
    """Wait for nobody's lock for long, and take no error further than the log."""
    try:
        execute(connection, "select set_config('lock_timeout', %s, false)", (PATIENCE,))
        try:
            yield
        finally:
            execute(connection, "select set_config('lock_timeout', '0', false)")
    except psycopg2.Error as error:
        text = " ".join(str(error).split())
        logs.event(what, level=logging.WARNING, message=f"{type(error).__name__}: {text}")


def prune(connection: Connection) -> dict[str, int]:
    """Forget the runs that are too old; returns how many, by table, if any."""
    gone = len(execute(connection, OLD_RUNS, {"short": SHORT_DAYS, "long": LONG_DAYS}))
    return {"ops.runs": gone} if gone else {}


def tidy_files() -> None:
    """Keep the embedded server's log small. It appends, so its file can be emptied under it."""
    log = local_directory() / "postgres.log"
    with suppress(OSError):
        if log.stat().st_size <= LARGEST_SERVER_LOG:
            return
        compress(log, log.with_name("postgres.log.1.gz"))
        os.truncate(log, 0)
