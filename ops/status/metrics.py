"""The status as a Prometheus textfile for node_exporter, written after each job to METRICS_FILE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from extract.base.folders import write_whole
from extract.base.settings import ROOT, environment, path_of
from ops.status.status import Status
from ops.status.verdict import LEVELS, Verdict

Sample = tuple[dict[str, str], float | int | datetime | None]
RUN_STATES = ("running", "loaded", "published", "unchanged", "failed", "stopped")


def write(status: Status, verdict: Verdict) -> None:
    """Write the file, if one is wanted; node_exporter may read it, whichever user that runs as.

    Raises:
        OSError: It cannot be written.
    """
    if environment().get("METRICS_FILE"):
        write_whole(path_of("METRICS_FILE", ROOT), text(status, verdict))


def text(status: Status, verdict: Verdict) -> str:
    """The whole file."""
    lines: list[str] = []
    for name, help_text, samples in _metrics(status, verdict):
        known = [(labels, value) for labels, value in samples if value is not None]
        if known:
            metric = f"fortytwo_mirror_{name}"
            lines += [f"# HELP {metric} {help_text}", f"# TYPE {metric} gauge"]
            lines += [f"{metric}{_labels(labels)} {_number(value)}" for labels, value in known]
    return "\n".join([*lines, ""])


def _metrics(status: Status, verdict: Verdict) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    yield "status_time_seconds", "When this was read.", [({}, status.at)]
    yield (
        "level",
        "1 for how the mirror is.",
        [({"level": level}, int(verdict.level == level)) for level in LEVELS],
    )
    yield (
        "finding",
        "What was looked at: 0 well, 1 degraded, 2 failing.",
        [({"name": found.name}, LEVELS.index(found.level)) for found in verdict.findings],
    )
    yield (
        "table_degraded",
        "1 for an optional table that the last pass left as it was.",
        [({"table": table}, 1) for table in status.degraded],
    )
    yield from _runs(status)
    yield "published_time_seconds", "Last publication.", [({}, status.published_at)]
    yield "rows", "Rows of a mirror table.", _by("table", status.tables, "rows")
    yield (
        "changes",
        "Rows that the last publication changed.",
        [
            ({"table": row["table"], "action": action}, row[f"{action}"])
            for row in status.tables
            for action in ("inserted", "updated", "deleted")
        ],
    )
    yield (
        "read_time_seconds",
        "When the API was last read for a table.",
        _by("table", status.tables, "read_at"),
    )
    yield (
        "rejected_rows",
        "Rows that a rule leaves out.",
        [({"rule": rule}, count) for rule, count in status.rejected.items()],
    )
    yield "api_calls_last_hour", "API calls in the last hour.", [({}, status.calls.get("hour"))]
    yield "api_calls_left", "API calls left in this hour.", [({}, status.calls.get("left_now"))]
    yield (
        "backfill_students_left",
        "Students, or events, whose rows are still to be read.",
        _by("resource", status.backfill, "left_to_read"),
    )
    application = status.application or {}
    yield (
        "secret_expiry_time_seconds",
        "When the application's secret expires.",
        [({}, application.get("secret_valid_until"))],
    )
    backup = status.backup or {}
    yield "backup_time_seconds", "The newest backup.", [({}, backup.get("at"))]
    yield "backup_bytes", "Size of the newest backup.", [({}, backup.get("bytes"))]
    yield "database_bytes", "Size of the database.", [({}, status.database.get("bytes"))]
    yield "disk_free_bytes", "Free on the disk of .local.", [({}, status.disk.get("free_bytes"))]
    yield "attention", "Things an operator should look at.", [({}, len(verdict.reasons))]


def _runs(status: Status) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    yield (
        "run_state",
        "1 for the state that the last run of a mode is in.",
        [
            ({"mode": run["mode"], "state": state}, int(run["status"] == state))
            for run in status.runs
            for state in RUN_STATES
        ],
    )
    yield "run_seconds", "Duration of the last run.", _by("mode", status.runs, "seconds")
    yield "run_calls", "API calls of the last run.", _by("mode", status.runs, "calls")
    yield (
        "last_good_run_time_seconds",
        "End of the last run that went well.",
        [({"mode": mode}, at) for mode, at in status.last_good.items()],
    )
    yield (
        "job_failing",
        "1 while a job fails.",
        [({"job": job}, int(last.status == "failed")) for job, last in status.jobs.items()],
    )


def _by(label: str, rows: Iterable[dict[str, Any]], column: str) -> list[Sample]:
    return [({label: row[label]}, row[column]) for row in rows]


def _labels(labels: dict[str, str]) -> str:
    def quoted(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    pairs = ",".join(f'{name}="{quoted(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _number(value: float | datetime | None) -> str:
    if isinstance(value, datetime):
        return f"{value.timestamp():.0f}"
    return f"{value:g}" if isinstance(value, float) else str(value)
