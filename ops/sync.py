"""`make sync`: extract, build, publish, summarise; one run under one lock."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extensions import connection as Connection
from rich.console import Console

from extract.base import logs
from extract.base.errors import MirrorError
from extract.base.lock import new_run_id, run_lock
from extract.base.query import scalar
from extract.base.settings import local_directory
from extract.load.record import Record
from extract.load.signature import build_signature, published_signature
from extract.programs import SIGNATURE, run_dbt
from extract.progress import ExtractionProgress
from ops.status.status import BUILDING
from ops.status.summary import print_summary
from ops.upkeep import housekeeping
from ops.upkeep.logs import failures, log_build, log_publication, stopped_by

if TYPE_CHECKING:  # dlt takes a second to import
    from extract.run import Extracted


def sync(
    mode: str,
    *,
    max_calls: int | None = None,
    campus_ids: Collection[int] | None = None,
    console: Console,
) -> None:
    """Run one whole pass and print what it did.

    Raises:
        MirrorError: The extraction or the build failed, or another run holds the lock.
    """
    from extract.run import extract  # dlt takes a second to import

    gc.freeze()  # what is imported stays: the collector need not look at it again
    run_id = new_run_id()
    logs.start(run_id, command=f"sync {mode}")
    with run_lock(mode, run_id) as connection:
        console.print(f"Extract ({mode}): 42 API to raw", style="bold")
        with ExtractionProgress(console) as progress:
            done = extract(
                mode,
                max_calls=max_calls,
                campus_ids=campus_ids,
                progress=progress,
                connection=connection,
                run_id=run_id,
            )
        record = Record(connection, run_id)
        started = time.monotonic()
        signature = build_signature(connection)
        unchanged = signature == published_signature(connection)
        if unchanged:
            record.update(status="unchanged")
            console.print("Build: raw did not change since the last publication; skipped.")
        else:
            _build(connection, record, done, console, signature, started)
            record.update(seconds=done.seconds)
        record.close()
        log_publication(connection, run_id)
        if not unchanged:
            _require_publication(connection, run_id)
        if done.mode == "full":  # a live pass may have become one
            housekeeping.after_full(connection)
        print_summary(connection, run_id, done, console)


def _build(
    connection: Connection,
    record: Record,
    done: Extracted,
    console: Console,
    signature: dict[str, Any],
    started: float,
) -> None:
    """Bring raw to `mirror`, and take note of the seconds since it was `started`.

    Raises:
        MirrorError: It failed, and nothing was published.
    """
    housekeeping.before_build(connection)
    console.print("Build, test and publish (dbt build)", style="bold")
    record.update(phase=BUILDING)
    # dbt keeps quiet until something fails; on a terminal something moves meanwhile
    with console.status("building", spinner="line"):
        began = time.time()
        status = dbt_build(record.run_id, signature=signature)
    done.seconds["build and publish"] = round(time.monotonic() - started, 2)
    if not status:
        return
    failed = _what_failed(status, began)
    with suppress(psycopg2.Error):  # the database may be what failed
        record.update(
            seconds=done.seconds,
            status="failed",
            message=f"dbt build failed, nothing was published: {failed}"[:1000],
        )
        record.close()
        log_publication(connection, record.run_id)
    raise MirrorError(
        "dbt build failed, nothing was published and `mirror` is as it was. What failed: "
        f"{failed}. The whole log is in {dbt_log()}."
    )


def _require_publication(connection: Connection, run_id: str) -> None:
    """Hold a green build against what it left in ops.runs."""
    if not scalar(connection, "select published_at from ops.runs where run_id = %s", (run_id,)):
        raise MirrorError(
            "dbt build ended without an error but did not publish: `mirror` is as it was. The log "
            f"in {dbt_log()} says why; run `bin/dbt build` to see it."
        )


def dbt_target() -> Path:
    """Where dbt writes what it did."""
    return Path(os.environ.get("DBT_TARGET_PATH") or local_directory() / "dbt" / "target")


def dbt_log() -> Path:
    """Where dbt logs."""
    return Path(os.environ.get("DBT_LOG_PATH") or local_directory() / "dbt" / "logs", "dbt.log")


def dbt_build(run_id: str, *arguments: str, signature: dict[str, Any] | None = None) -> int:
    """Run `dbt build` with the database this process uses; returns dbt's exit status.

    Args:
        signature: What it builds from, where that is known already.
    """
    started_at = time.time()
    status = run_dbt(
        "build",
        *arguments,
        FORTYTWO_RUN_ID=run_id,
        **{SIGNATURE: json.dumps(signature) if signature else ""},
        DBT_TARGET_PATH=str(dbt_target()),
        DBT_LOG_PATH=str(dbt_log().parent),
    )
    log_build(dbt_target(), started_at)
    return status


def _what_failed(status: int, started_at: float) -> str:
    named = failures(dbt_target(), started_at)
    if not named:
        said = stopped_by(dbt_log(), started_at)
        ended = f"dbt ended with status {status}"
        return f"{ended}: {said}" if said else f"{ended} and named no model or test"
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return ", ".join(named[:3]) + more
