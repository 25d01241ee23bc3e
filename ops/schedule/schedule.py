"""When what runs: full, live, backup and check, in UTC, from settings that have defaults.

The same schedule becomes lines of a crontab (crontab.py) or systemd timers (units.py); the jobs
themselves are in scheduled.py.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from extract.base.errors import UsageError
from extract.base.settings import ROOT, file_values, number

OFF = "off"
JOBS = ("live", "full", "backup", "check")
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
LIVE_MINUTES = (5, 10, 15, 20, 30, 60)
# places, no secrets: what a job must know and cron does not pass on
PLACES = ("FORTYTWO_ENV_FILE", "FORTYTWO_LOCAL", "FORTYTWO_SITE", "XDG_STATE_HOME")

OURS = re.compile(
    r"(FORTYTWO_|BACKUP_|RESTORE_|WEBHOOK_|METRICS_FILE$|PG(?!DATA$|OPTIONS$)[A-Z]+$"
    r"|(STREAMS|HEARTBEAT_URL|MAX_DELETE_FRACTION|RECONCILE_DAYS|BACKFILL_CALLS"
    r"|[A-Z]+_RETENTION_DAYS)$)"
)


@dataclass(frozen=True)
class Schedule:
    """The times of a day, UTC.

    Attributes:
        full: The nightly full pass, `HH:MM`.
        live: Minutes between live passes; 0 for none.
        backup: `HH:MM` or `off`.
        check: `HH:MM` or `off`.
        backfill_calls: Calls that a live pass may add for the big relations, out of what is left
            of the hour; none in the hour before the full pass, so that it finds the hour unused.
    """

    full: str = "01:00"
    live: int = 15
    backup: str = "03:00"
    check: str = "06:30"
    backfill_calls: int = 200

    @classmethod
    def load(cls, env: Mapping[str, str]) -> Schedule:
        """Read `SCHEDULE_FULL`, `_LIVE`, `_BACKUP`, `_CHECK` and `_BACKFILL_CALLS`.

        Raises:
            UsageError: One of them cannot be meant so.
        """
        return cls(
            full=_time(env, "SCHEDULE_FULL", cls.full, may_be_off=False),
            live=_live_minutes(env.get("SCHEDULE_LIVE") or str(cls.live)),
            backup=_time(env, "SCHEDULE_BACKUP", cls.backup),
            check=_time(env, "SCHEDULE_CHECK", cls.check),
            backfill_calls=number(env, "SCHEDULE_BACKFILL_CALLS", cls.backfill_calls),
        )

    def variables(self) -> dict[str, str]:
        """The settings that make this schedule."""
        return {
            "SCHEDULE_FULL": self.full,
            "SCHEDULE_LIVE": str(self.live) if self.live else OFF,
            "SCHEDULE_BACKUP": self.backup,
            "SCHEDULE_CHECK": self.check,
            "SCHEDULE_BACKFILL_CALLS": str(self.backfill_calls),
        }

    def time_of(self, job: str) -> str | None:
        """`HH:MM` of a daily job; None for the live pass and for what is off."""
        times = {"full": self.full, "backup": self.backup, "check": self.check}
        return None if times.get(job, OFF) == OFF else times[job]

    def jobs(self) -> list[str]:
        """What is scheduled at all."""
        return [job for job in JOBS if (self.live if job == "live" else self.time_of(job))]

    def next_runs(self, now: datetime) -> dict[str, datetime]:
        """When each job runs next."""
        return {job: self._next(job, now.astimezone(UTC)) for job in self.jobs()}

    def _next(self, job: str, now: datetime) -> datetime:
        at = self.time_of(job)
        if at is None:
            start = now.replace(minute=now.minute // self.live * self.live, second=0, microsecond=0)
            return start + timedelta(minutes=self.live)
        hour, minute = map(int, at.split(":"))
        today = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return today if today > now else today + timedelta(days=1)

    def before_full(self, now: datetime) -> bool:
        """Whether the full pass begins within the hour."""
        return self._next("full", now.astimezone(UTC)) - now <= timedelta(hours=1)


def own_variables(schedule: Schedule) -> dict[str, str]:
    """What the jobs' environment needs beside `.env`: exported places, times given by options."""
    places = {name: os.environ[name] for name in PLACES if os.environ.get(name)}
    default = Schedule.load(file_values()).variables()
    times = {k: v for k, v in schedule.variables().items() if default[k] != v}
    python = ROOT / ".venv" / "bin" / "python"
    other = {} if Path(sys.executable) == python else {"PYTHON": sys.executable}
    return places | times | other


def need_settings_in_file() -> None:
    """Make sure that a job finds in `.env` what a shell has exported.

    Raises:
        UsageError: It does not.
    """
    file = file_values()
    stray = [
        name
        for name, value in sorted(os.environ.items())
        if value and name not in PLACES and OURS.match(name) and file.get(name) != value
    ]
    if stray:
        raise UsageError(
            f"{' and '.join(stray)} {'is' if len(stray) == 1 else 'are'} exported in this shell, "
            "but a scheduled job sees only the .env file. Put what it shall use into .env, unset "
            "it here, and run the command again."
        )
    if not (file.get("FORTYTWO_CLIENT_ID") and file.get("FORTYTWO_CLIENT_SECRET")):
        raise UsageError(
            "FORTYTWO_CLIENT_ID and FORTYTWO_CLIENT_SECRET are not in .env, and a scheduled run "
            "never mirrors the sandbox. Put them there (see .env.example), then run the command "
            "again."
        )


def _time(env: Mapping[str, str], name: str, default: str, may_be_off: bool = True) -> str:
    text = env.get(name) or default
    if TIME.fullmatch(text) or (may_be_off and text == OFF):
        return text
    off = f", or {OFF}" if may_be_off else ""
    raise UsageError(f"{name} is {text!r}; it must be a time of day in UTC like {default}{off}.")


def _live_minutes(text: str) -> int:
    if text == OFF:
        return 0
    if text.isdecimal() and int(text) in LIVE_MINUTES:
        return int(text)
    choices = ", ".join(map(str, LIVE_MINUTES))
    raise UsageError(f"SCHEDULE_LIVE is {text!r}; it must be one of {choices} minutes, or {OFF}.")
