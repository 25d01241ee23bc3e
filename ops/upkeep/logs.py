"""What a build and a publication leave in the log: an event for each model and each failed test."""

import json
import logging
import re
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from extract.base import logs
from extract.base.query import execute

FAILED = ("error", "fail", "runtime error")
# what stops dbt before it runs anything, such as a source that no yml names, as its log has it
RUN = re.compile(r"^=+ .* =+$", re.MULTILINE)
STOPPED = re.compile(
    r"Encountered an error:\n(.*?)(?=^\d\d:\d\d:\d\d\.|\Z)", re.MULTILINE | re.DOTALL
)
# what violates a constraint is said in names alone, the values stand in the detail
QUOTES_DATA = re.compile(r"invalid|malformed|out of range")


def log_build(target: Path, started_at: float) -> None:
    """Log what dbt did, from the run_results.json in its target folder.

    A file from before `started_at` (unix seconds) is an earlier build's.
    """
    tests = 0
    results = _results(target, started_at)
    for result in results:
        kind, name = result["unique_id"].split(".")[0], result["unique_id"].split(".")[2]
        failed = result["status"] in FAILED
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
    if results:
        logs.event("build", nodes=len(results), tests=tests)


def failures(target: Path, started_at: float) -> list[str]:
    """What failed in a build, in dbt's and the server's words, without people's values."""
    found = []
    for result in _results(target, started_at):
        if result["status"] in FAILED:
            kind, _, name, *_ = result["unique_id"].split(".")
            lines = [line.strip() for line in (result.get("message") or "").splitlines()]
            words = " ".join(lines[1:2] if kind == "model" else lines[1:])
            words = _without_values(words)
            if kind in ("test", "unit_test") and result.get("failures"):
                words = f"{result['failures']} rows"
            found.append(f"{kind} {name}" + (f" ({words[:300].rstrip('.')})" if words else ""))
    return found


def stopped_by(log: Path, started_at: float) -> str:
    """What stopped dbt before it ran anything, in the same words; empty when it does not say."""
    try:
        if log.stat().st_mtime < started_at:
            return ""
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = STOPPED.search(RUN.split(text)[-1])
    # the macros that called each other say nothing to who reads a status
    words = " ".join(found[1].partition("> in macro")[0].split()) if found else ""
    return _without_values(words)[:300].rstrip(".")


def _without_values(words: str) -> str:
    words = words.partition(" DETAIL:")[0]
    return re.sub(r'".*"', '"…"', words) if QUOTES_DATA.search(words) else words


def _results(target: Path, started_at: float) -> list[dict[str, Any]]:
    path = target / "run_results.json"
    try:
        if path.stat().st_mtime < started_at:
            return []
        results: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError):
        return []
    return results


def log_publication(connection: Connection, run_id: str) -> None:
    """Log what the run brought to `mirror`."""
    columns = ("status", "published_at", "rows", "changes", "rejected")
    query = "select status, published_at, rows, changes, rejected from ops.runs where run_id = %s"
    for row in execute(connection, query, (run_id,)):
        logs.event("publication", **dict(zip(columns, row, strict=True)))
