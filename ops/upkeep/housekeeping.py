"""What a sync does for the database's health; never the reason that a run fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import connection as Connection

from extract.base import logs
from extract.base.query import execute
from ops.upkeep import hygiene, retention

PATIENCE = "5s"


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
        gone = retention.prune(connection)
        retention.tidy_files()
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
