"""How each job ended last, kept in .local/jobs.json: for status, for catching up, for alerts.

A file and not a table, because the job that failed may have failed for want of the database.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from extract.base import logs
from extract.base.errors import BudgetSpent, BusyError, MirrorError
from extract.base.settings import local_directory
from ops.status import webhook

REMIND_AFTER = timedelta(hours=24)
LONGEST_MESSAGE = 600


@dataclass(frozen=True)
class Outcome:
    """The last end of a job. Times are ISO 8601, UTC.

    Attributes:
        failing_since: Start of the first failure in a row; None when the last one went well.
        told_at: When the webhook was last told of this failure.
    """

    status: str
    started_at: str
    finished_at: str
    message: str | None = None
    failing_since: str | None = None
    told_at: str | None = None


@contextmanager
def outcome(job: str) -> Iterator[None]:
    """Keep how the job in this block ends; tell the webhook of failure and recovery.

    A run that found the lock taken or the quota spent is neither.
    """
    started = datetime.now(UTC)
    try:
        yield
    except (BusyError, BudgetSpent):
        raise
    except Exception as error:
        text = str(error) if isinstance(error, MirrorError) else f"{type(error).__name__}: {error}"
        _finish(job, started, logs.without_secrets(text)[:LONGEST_MESSAGE])
        raise
    _finish(job, started, None)


def last_outcomes() -> dict[str, Outcome]:
    """How each job ended last, by its name."""
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
        known = {field.name for field in fields(Outcome)}
        return {
            job: Outcome(**{name: value for name, value in values.items() if name in known})
            for job, values in found.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _finish(job: str, started: datetime, message: str | None) -> None:
    now = datetime.now(UTC)
    with suppress(OSError), _locked():
        outcomes = last_outcomes()
        before = outcomes.get(job)
        since = (before.failing_since if before else None) or started.isoformat()
        told_at = before.told_at if before else None
        if message is not None:
            after = Outcome("failed", started.isoformat(), now.isoformat(), message, since, told_at)
            if not told_at or now - datetime.fromisoformat(told_at) > REMIND_AFTER:
                told = webhook.tell("failure", job, since, message)
                after = replace(after, told_at=now.isoformat() if told else None)
        else:
            after = Outcome("ok", started.isoformat(), now.isoformat())
            if told_at and not webhook.tell("recovery", job, since):
                after = replace(after, told_at=told_at)  # told next time
        _save({**outcomes, job: after})


def _save(outcomes: dict[str, Outcome]) -> None:
    unfinished = _file().with_suffix(".part")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({job: asdict(outcome) for job, outcome in outcomes.items()}, file, indent=1)
    unfinished.replace(_file())


@contextmanager
def _locked() -> Iterator[None]:
    _file().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(_file().with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _file() -> Path:
    return local_directory() / "jobs.json"
