"""Around every job: how it ended is kept, judged, told, measured and shown."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from extract.base import logs
from ops.site import incidents_page, reports_page, status_page
from ops.status import metrics, webhook
from ops.status.outcomes import outcome
from ops.status.status import read_status
from ops.status.verdict import judge


@contextmanager
def reported(job: str) -> Iterator[None]:
    """Report the job in this block: .local/jobs.json, the webhook, the metrics file, the pages."""
    try:
        with outcome(job):
            yield
        if job.startswith("sync"):
            webhook.beat()
    finally:
        report()


def report() -> None:
    """Tell everybody the one verdict; whatever happens, the job goes on."""
    status = read_status()
    verdict = judge(status)
    tellers: dict[str, Callable[[], object]] = {
        "webhook": lambda: webhook.tell_changes(verdict),
        "metrics": lambda: metrics.write(status, verdict),
        "reports_page": lambda: reports_page.write_if_due(status, verdict),
        "incidents_page": lambda: incidents_page.write(status, verdict),
        "status_page": lambda: status_page.write(status, verdict),
    }
    for name, tell in tellers.items():
        try:
            tell()
        except Exception as error:  # noqa: BLE001  (no report is worth a job)
            message = logs.without_secrets(f"not written: {type(error).__name__}: {error}")
            logs.event(name, level=logging.WARNING, message=message)
            typer.echo(f"{name.replace('_', ' ')} {message}", err=True)
