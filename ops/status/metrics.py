"""The status as a Prometheus textfile for node_exporter, written after each job to METRICS_FILE."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from extract.base.folders import write_whole
from extract.base.settings import ROOT, environment, path_of
from ops.status.queries import KINDS
from ops.status.status import Status
from ops.status.verdict import LEVELS, Verdict

Value = float | int | datetime | None
Sample = tuple[dict[str, str], Value]
LEFT = "Students, or events, whose rows are still to be read."
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
    application, backup = status.application or {}, status.backup or {}
    states = [
        ({"mode": run["mode"], "state": state}, int(run["status"] == state))
        for run in status.runs
        for state in RUN_STATES
    ]
    changes = [
        ({"table": row["table"], "action": action}, row[action])
        for row in status.tables
        for action in KINDS
    ]
    levels: dict[str, int] = {level: int(verdict.level == level) for level in LEVELS}
    findings = {found.name: LEVELS.index(found.level) for found in verdict.findings}
    failing = {job: int(last.status == "failed") for job, last in status.jobs.items()}
    expires = application.get("secret_valid_until")
    yield "status_time_seconds", "When this was read.", _one(status.at)
    yield "level", "1 for how the mirror is.", _each("level", levels)
    yield "finding", "What was looked at: 0 well, 1 degraded, 2 failing.", _each("name", findings)
    yield (
        "table_degraded",
        "1 for an optional table that the last pass left as it was.",
        _each("table", dict.fromkeys(status.degraded, 1)),
    )
    yield "run_state", "1 for the state that the last run of a mode is in.", states
    yield "run_seconds", "Duration of the last run.", _by("mode", status.runs, "seconds")
    yield "run_calls", "API calls of the last run.", _by("mode", status.runs, "calls")
    yield (
        "last_good_run_time_seconds",
        "End of the last run that went well.",
        _each("mode", status.last_good),
    )
    yield "job_failing", "1 while a job fails.", _each("job", failing)
    yield "published_time_seconds", "Last publication.", _one(status.published_at)
    yield "rows", "Rows of a mirror table.", _by("table", status.tables, "rows")
    yield "changes", "Rows that the last publication changed.", changes
    read = _by("table", status.tables, "read_at")
    yield "read_time_seconds", "When the API was last read for a table.", read
    yield "rejected_rows", "Rows that a rule leaves out.", _each("rule", status.rejected)
    yield "api_calls_last_hour", "API calls in the last hour.", _one(status.calls.get("hour"))
    yield "api_calls_left", "API calls left in this hour.", _one(status.calls.get("left_now"))
    to_read = _by("resource", status.backfill, "left_to_read")
    yield "backfill_students_left", LEFT, to_read
    yield "secret_expiry_time_seconds", "When the application's secret expires.", _one(expires)
    yield "backup_time_seconds", "The newest backup.", _one(backup.get("at"))
    yield "backup_bytes", "Size of the newest backup.", _one(backup.get("bytes"))
    yield "database_bytes", "Size of the database.", _one(status.database.get("bytes"))
    yield "disk_free_bytes", "Free on the disk of .local.", _one(status.disk.get("free_bytes"))
    yield "attention", "Things an operator should look at.", _one(len(verdict.reasons))


def _one(value: Value) -> list[Sample]:
    return [({}, value)]


def _each(label: str, values: Mapping[str, Value]) -> list[Sample]:
    return [({label: name}, value) for name, value in values.items()]


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
