"""How each job ended last, kept in .local/jobs.json: for the verdict and for catching up.

A file and not a table, because the job that failed may have failed for want of the database.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from extract.base import logs
from extract.base.errors import BudgetSpent, BusyError, MirrorError
from extract.base.folders import locked, write_whole
from extract.base.settings import local_directory

LONGEST_MESSAGE = 600


@dataclass(frozen=True)
class Outcome:
    """The last end of a job. Times are ISO 8601, UTC.

    Attributes:
        failing_since: Start of the first failure in a row; None when the last one went well.
    """

    status: str
    started_at: str
    finished_at: str
    message: str | None = None
    failing_since: str | None = None


@contextmanager
def outcome(job: str) -> Iterator[None]:
    """Keep how the job in this block ends.

    A run that found the lock taken or the quota spent is neither a failure nor a success.
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
    now = datetime.now(UTC).isoformat()
    with suppress(OSError), locked(_file()):
        outcomes = last_outcomes()
        before = outcomes.get(job)
        since = (before.failing_since if before else None) or started.isoformat()
        if message is not None:
            after = Outcome("failed", started.isoformat(), now, message, since)
        else:
            after = Outcome("ok", started.isoformat(), now)
        document = {name: asdict(end) for name, end in {**outcomes, job: after}.items()}
        write_whole(_file(), json.dumps(document, indent=1), 0o600)


def _file() -> Path:
    return local_directory() / "jobs.json"
