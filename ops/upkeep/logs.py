"""What a build and a publication leave in the log: an event for each model and each failed test."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from psycopg2.extensions import connection as Connection

from extract.base import logs


def log_build(target: Path, started_at: float) -> None:
    """Log what dbt did, from the run_results.json in its target folder.

    A file from before `started_at` (unix seconds) is an earlier build's.
    """
    path = target / "run_results.json"
    try:
        if path.stat().st_mtime < started_at:
            return
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError):
        return
    tests = 0
    for result in results:
        kind, name = result["unique_id"].split(".")[0], result["unique_id"].split(".")[2]
        failed = result["status"] in ("error", "fail", "runtime error")
        tests += kind in ("test", "unit_test")
        if failed or kind in ("model", "snapshot", "seed", "operation"):
            logs.event(
                kind,
                level=logging.ERROR if failed else logging.INFO,
                name=name,
                status=result["status"],
                rows=result.get("adapter_response", {}).get("rows_affected"),
                failures=result.get("failures"),
                milliseconds=round(1000 * result["execution_time"]),
            )
    logs.event("build", nodes=len(results), tests=tests)


def log_publication(connection: Connection, run_id: str) -> None:
    """Log what the run brought to `mirror`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select status, published_at, rows, changes, rejected from ops.runs where run_id = %s",
            (run_id,),
        )
        row = cursor.fetchone()
    if row:
        status, published_at, rows, changes, rejected = row
        logs.event(
            "publication",
            status=status,
            published_at=published_at,
            rows=rows,
            changes=changes,
            rejected=rejected,
        )
