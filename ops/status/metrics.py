"""The status as a Prometheus textfile for node_exporter, written after each job to METRICS_FILE."""

from collections.abc import Iterable
from typing import Any

from extract.base.folders import write_whole
from extract.base.settings import ROOT, environment, path_of
from ops.site.pages import render
from ops.status.queries import KINDS
from ops.status.status import Status
from ops.status.verdict import LEVELS, Verdict

RUN_STATES = ("running", "loaded", "published", "unchanged", "failed", "stopped")


def write(status: Status, verdict: Verdict) -> None:
    """Write the file, if one is wanted; node_exporter may read it, whichever user that runs as.

    Raises:
        OSError: It cannot be written.
    """
    if environment().get("METRICS_FILE"):
        write_whole(path_of("METRICS_FILE", ROOT), text(status, verdict))


def text(status: Status, verdict: Verdict) -> str:
    """The whole file. Samples are the values of their labels and their own value."""
    return render(
        "metrics.prom.j2",
        status=status,
        verdict=verdict,
        by=_by,
        levels=[(level, int(verdict.level == level)) for level in LEVELS],
        findings=[(found.name, LEVELS.index(found.level)) for found in verdict.findings],
        degraded=[(table, 1) for table in status.degraded],
        states=[
            (run["mode"], state, int(run["status"] == state))
            for run in status.runs
            for state in RUN_STATES
        ],
        failing=[(job, int(last.status == "failed")) for job, last in status.jobs.items()],
        changes=[(row["table"], kind, row[kind]) for row in status.tables for kind in KINDS],
    )


def _by(label: str, rows: Iterable[dict[str, Any]], column: str) -> list[tuple[str, Any]]:
    return [(row[label], row[column]) for row in rows]
