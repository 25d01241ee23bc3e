"""What an operator should look at, in sentences, from a reading of the status."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from extract.run import WARN_SECRET_DAYS

if TYPE_CHECKING:
    from ops.status.status import Status

# a nightly pass may take a while and be late
OLDEST_FULL = timedelta(hours=26)
OLDEST_BACKUP = timedelta(hours=26)
LEAST_FREE = 0.05


def attention(status: Status) -> list[str]:
    """The sentences, the most urgent first."""
    found = [*_credentials(status), *_jobs(status), *_passes(status), *_disk(status)]
    if not status.scheduled_by and status.started:
        found.append("Nothing is scheduled on this machine: `make cron-install` does that.")
    return found


def _credentials(status: Status) -> list[str]:
    application = status.application
    if not application:
        return []
    found = []
    until = application["secret_valid_until"]
    if until and until <= status.at:
        found.append(
            f"The application's secret expired on {until:%Y-%m-%d}: make a new one on the intra "
            "(Settings > API) and put it into .env."
        )
    elif until and until - status.at < timedelta(days=WARN_SECRET_DAYS):
        days = (until - status.at) / timedelta(days=1)
        found.append(
            f"The application's secret expires in {days:.1f} days: make a new one on the intra "
            "(Settings > API) and put it into .env as FORTYTWO_CLIENT_SECRET_NEXT."
        )
    if application["using_next_secret"]:
        found.append(
            "FORTYTWO_CLIENT_SECRET is refused and FORTYTWO_CLIENT_SECRET_NEXT took over: make it "
            "the current one in .env."
        )
    return found


def _jobs(status: Status) -> list[str]:
    return [
        f"{job} fails since {datetime.fromisoformat(last.failing_since):%Y-%m-%d %H:%M} UTC: "
        f"{last.message}"
        for job, last in sorted(status.jobs.items())
        if last.status == "failed" and last.failing_since
    ]


def _passes(status: Status) -> list[str]:
    found = []
    full = status.last_good.get("full")
    if status.started and not full:
        found.append("No full pass has been published yet: `make sync`.")
    elif full and status.at - full > OLDEST_FULL and not (status.running or "").count(" full "):
        hours = (status.at - full) / timedelta(hours=1)
        found.append(f"The last good full pass ended {hours:.0f} hours ago: `make sync`.")
    if "backup" in status.schedule or status.backup:
        at = status.backup["at"] if status.backup else None
        if at is None:
            found.append("There is no backup yet: `make backup`.")
        elif status.at - at > OLDEST_BACKUP:
            days = (status.at - at) / timedelta(days=1)
            found.append(f"The newest backup is {days:.1f} days old: `make backup`.")
    return found


def _disk(status: Status) -> list[str]:
    free, total = status.disk["free_bytes"], status.disk["total_bytes"]
    if free < max(LEAST_FREE * total, 2 * status.database.get("bytes", 0)):
        return [
            f"The disk has {free / 1e9:,.1f} GB left, {100 * free / total:.0f} %: less than a "
            "build and a backup may need."
        ]
    return []
