"""Around every job: how it ended is kept, told and measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ops.status import metrics
from ops.status.outcomes import outcome


@contextmanager
def reported(job: str) -> Iterator[None]:
    """Report the job in this block: .local/jobs.json, the webhook, the metrics file."""
    try:
        with outcome(job):
            yield
    finally:
        metrics.write()
