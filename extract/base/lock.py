"""A run: its mode, its id, and the lock by which one command at a time writes to the mirror."""

import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection
from tenacity import Retrying, retry_if_exception_type, stop_before_delay, wait_fixed

from extract.base import database
from extract.base.errors import BusyError, UsageError
from extract.base.query import execute, scalar
from extract.base.usable import require_usable, require_whole

LOCK = (42, 21)
COPY_LOCK = (42, 24)  # of `extract copy`, which only reads here; 22, 23 and 25 are dbt's
# of a run that was killed: it cannot say so itself
ENDED_WITHOUT_A_WORD = "The run ended without a word (killed, or the machine went down)."
MODES = ("full", "live", "backfill")
# a batch of the backfill takes half a minute, its load less
BACKFILL_PATIENCE = 120
PAUSE = 10.0

Result = TypeVar("Result")


def require_mode(mode: str) -> None:
    """Refuse what is none of `MODES`.

    Raises:
        UsageError: It is none.
    """
    if mode not in MODES:
        raise UsageError(f"MODE is {mode!r}; it must be one of {', '.join(MODES)}.")


def recorded_mode(mode: str, campus_ids: Collection[int] | None) -> str:
    """What ops.runs calls a pass: a full one of some campuses is no full pass of the mirror."""
    return "campuses" if mode == "full" and campus_ids is not None else mode


def new_run_id() -> str:
    """Sortable by time and unique."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"


@contextmanager
def run_lock(mode: str, run_id: str) -> Iterator[Connection]:
    """Hold the mirror's run lock; yields the connection (autocommit) that holds it.

    A backfill gives way to other modes between two loads, so those wait for it a moment.

    Raises:
        BusyError: Another run holds it; the message says which.
        UsageError: The database holds a part of a backup, or none could use it.
    """
    connection = database.connect(f"fortytwo-mirror {mode} {run_id}", autocommit=True)
    try:
        if mode != "backup":  # which writes nothing
            require_usable(connection)
        if mode not in ("restore", "uninstall"):
            require_whole(connection)
        free = scalar(connection, "select pg_try_advisory_lock(%s, %s)", LOCK)
        holder = "" if free else _holder(connection)
        if not free and not holder:  # it ended between the two questions
            free = _wait_for_lock(connection, 5)
        if "mirror backfill" in holder and mode != "backfill":
            free = _wait_for_lock(connection, BACKFILL_PATIENCE)
        if not free:
            raise BusyError(
                f"Another run holds the lock: {holder}. Nothing was started; try again when it "
                "is done (`make status` shows it)."
            )
        yield connection
    finally:
        # closing releases the lock too, but only when the server notices
        with suppress(psycopg2.Error):
            execute(connection, "select pg_advisory_unlock_all()")
        connection.close()


def patiently(seconds: float, work: Callable[[], Result]) -> Result:
    """Do what needs the lock; try again for so long while another run holds it.

    Raises:
        BusyError: It was held all the time.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(BusyError),
        wait=wait_fixed(PAUSE),
        stop=stop_before_delay(seconds),
        sleep=time.sleep,
        reraise=True,
    )
    return retrying(work)


def _wait_for_lock(connection: Connection, seconds: int) -> bool:
    execute(connection, "select set_config('lock_timeout', %s, false)", (f"{seconds}s",))
    try:
        execute(connection, "select pg_advisory_lock(%s, %s)", LOCK)
    except psycopg2.errors.LockNotAvailable:
        return False
    execute(connection, "set lock_timeout to default")
    return True


def _holder(connection: Connection) -> str:
    for name, process, since in sessions(connection):
        return f"{name} (database process {process}, since {since} UTC)"
    return ""


def sessions(connection: Connection, *, waiting: bool = False) -> list[tuple[str, int, str]]:
    """Who holds the run lock, or waits for it: application name, process id, since when (UTC)."""
    found = execute(
        connection,
        "select application_name, pid, "
        "to_char(backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') "
        "from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' "
        "and granted <> %s and classid = %s and objid = %s and objsubid = 2 "
        "and pg_locks.database = (select oid from pg_database where datname = current_database())",
        (waiting, *LOCK),
    )
    return [(name, process, since) for name, process, since in found]
