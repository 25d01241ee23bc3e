"""The jobs of the schedule, as cron and systemd start them: quiet when all is well.

A machine that was off missed its nightly pass: the live pass, which comes every few minutes, does
a full one instead when the last good one is too old, and a backup likewise.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg2
from rich.console import Console

from extract.base import database, logs
from extract.base.errors import MirrorError, UsageError
from extract.base.lock import patiently
from extract.base.settings import credentials_configured, environment, number
from ops.backup import archive
from ops.backup.backup import backup
from ops.backup.restore import drill, drill_obstacle
from ops.checks.command import check_mirror
from ops.schedule.schedule import Schedule
from ops.status.outcomes import last_outcomes
from ops.status.queries import last_attempt, last_good
from ops.status.reporting import reported
from ops.status.verdict import BACKUP_LATE, FULL_LATE
from ops.sync import sync

# between two attempts to catch up: a pass that fails would use up the quota otherwise
NEXT_ATTEMPT = timedelta(hours=4)
FULL_PATIENCE = 1800.0
BACKUP_PATIENCE = 7200.0
DRILL_DAYS = 7
EARLY = timedelta(hours=12)  # so that a backup that ends sooner than last week's has its drill


def live(now: datetime | None = None) -> None:
    """A live pass, or what is overdue."""
    moment = now or datetime.now(UTC)
    schedule = Schedule.load(environment())
    _need_credentials()
    try:
        due, attempted = _full_pass(moment)
    except (MirrorError, psycopg2.Error):  # no database: that is a failed pass too
        with reported("sync live"):
            raise
    if due and not attempted:
        _say_catching_up("full")
        full()
    elif due:
        logs.event("waiting", message="no full pass yet, and the last attempt was not long ago")
    else:
        _share_quota(schedule, moment)
        with reported("sync live"):
            sync("live", console=Console(quiet=True))
    if "backup" in schedule.jobs() and _backup_is_due(moment):
        _say_catching_up("backup")
        save()


def full() -> None:
    """The nightly full pass; waits for a pass that is at work."""
    _need_credentials()
    with reported("sync full"):
        patiently(FULL_PATIENCE, lambda: sync("full", console=Console(quiet=True)))


def save(now: datetime | None = None) -> None:
    """The backup of the day, and once a week the proof that it can be restored."""
    with reported("backup"):
        backup(patience=BACKUP_PATIENCE)
    if _drill_is_due(now or datetime.now(UTC)):
        with reported("restore-drill"):
            drill()


def check() -> None:
    """The check of the day.

    Raises:
        MirrorError: It found something; the message says what.
    """
    logs.start(command="scheduled check")
    check_mirror(Console(quiet=True))


JOBS: dict[str, Callable[[], None]] = {"live": live, "full": full, "backup": save, "check": check}


def _need_credentials() -> None:
    if not credentials_configured():
        raise UsageError(
            "No 42 credentials are set, and a scheduled run never mirrors the sandbox. Put "
            "FORTYTWO_CLIENT_ID and FORTYTWO_CLIENT_SECRET into .env (see .env.example)."
        )


def _full_pass(now: datetime) -> tuple[bool, bool]:
    """Whether a full pass is overdue, and whether one was attempted not long ago."""
    with database.session("schedule") as connection:
        good = last_good(connection).get("full")
        attempt = last_attempt(connection, "full")
    return (
        good is None or now - good > FULL_LATE,
        attempt is not None and now - attempt < NEXT_ATTEMPT,
    )


def _backup_is_due(now: datetime) -> bool:
    newest: list[archive.Backup] = []
    with suppress(MirrorError):  # the backup itself says what is wrong with the folder
        newest = archive.backups(archive.folder())[:1]
    last = last_outcomes().get("backup")
    attempt = datetime.fromisoformat(last.started_at) if last else None
    return not (newest and now - newest[0].at < BACKUP_LATE) and not (
        attempt and now - attempt < NEXT_ATTEMPT
    )


def _drill_is_due(now: datetime) -> bool:
    """Whether the last drill failed or is a week old, and one can be done on this machine."""
    days = number(environment(), "BACKUP_DRILL_DAYS", DRILL_DAYS)
    last = last_outcomes().get("restore-drill")
    if not days:
        return False
    if last and last.status == "ok":
        due = datetime.fromisoformat(last.started_at) + timedelta(days=days) - EARLY
        if now < due:
            return False
    obstacle = drill_obstacle()
    if obstacle:
        logs.event("drill_skipped", message=obstacle)
    return not obstacle


def _share_quota(schedule: Schedule, now: datetime) -> None:
    """Left-over calls go to the big relations; none in the hour before the full pass."""
    if schedule.before_full(now):
        os.environ["BACKFILL_CALLS"] = "0"
    elif not environment().get("BACKFILL_CALLS"):
        os.environ["BACKFILL_CALLS"] = str(schedule.backfill_calls)


def _say_catching_up(job: str) -> None:
    logs.start(command=f"scheduled {job}")
    logs.event("catching_up", job=job)
