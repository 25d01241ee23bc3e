"""Whether the mirror is well, and why not: the one answer, which everything else asks for.

`make status`, `make check`, the pages, the metrics, the webhook and the container's health call
`judge`; the scheduler takes its limits from here.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from extract.base.settings import WARN_SECRET_DAYS
from ops.status.status import Row, Status

Level = Literal["well", "degraded", "failing"]
LEVELS: tuple[Level, ...] = ("well", "degraded", "failing")

# A nightly pass may take a while and be late; the scheduler makes up for it from then on.
FULL_LATE, FULL_OVERDUE = timedelta(hours=26), timedelta(hours=36)
# A live pass gives way to others, and waits for the API's next hour.
LIVE_LATE, LIVE_OVERDUE = timedelta(hours=2), timedelta(hours=26)
BACKUP_LATE = timedelta(hours=26)
LEAST_FREE = 0.05

# What a failure is mended by: a later good run of one of these modes. And how to try again.
MENDED_BY = {
    "full": ("full",),
    "campuses": ("campuses", "full"),
    "live": ("live", "full"),
    "backfill": ("backfill",),
    "build": ("build", "live", "full"),
}
AGAIN = {
    "full": "make sync",
    "campuses": "make sync",
    "live": "make sync MODE=live",
    "backfill": "make sync MODE=backfill",
    "build": "dbt build",
    "backup": "make backup",
    "restore-drill": "make restore-drill",
    "check": "make check",
}
# Failures that leave what readers see as it should be.
HARMLESS = ("campuses", "live", "backfill", "backup", "restore-drill")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: Stable, for monitors: `freshness`, `sync full`, `table achievements_users`.
        sentence: What was found and, unless all is well, the command that mends it.
        since: Since when it is so, where that is known.
    """

    name: str
    level: Level
    sentence: str
    since: datetime | None = None


@dataclass(frozen=True)
class Verdict:
    """How the mirror is.

    Attributes:
        findings: Everything that was looked at, the worst first.
        degraded_at: When it will be degraded at the latest unless a pass ends well before.
        failing_at: The same for failing.
    """

    level: Level
    findings: tuple[Finding, ...]
    degraded_at: datetime | None = None
    failing_at: datetime | None = None

    @property
    def reasons(self) -> list[Finding]:
        """Why the mirror is not well."""
        return [finding for finding in self.findings if finding.level != "well"]

    @property
    def headline(self) -> str:
        """The level in words."""
        return HEADLINES[self.level]

    def document(self) -> Row:
        """Everything, for JSON."""
        return {**asdict(self), "reasons": [reason.sentence for reason in self.reasons]}


HEADLINES: dict[Level, str] = {
    "well": "All is well",
    "degraded": "Degraded: the mirror is published, something needs attention",
    "failing": "Failing: the mirror needs attention now",
}


def judge(status: Status, *, without: str = "") -> Verdict:
    """Judge a reading of the status.

    Args:
        status: The reading.
        without: A job whose last end does not count, because it is at work just now.
    """
    late, overdue = _deadlines(status)
    if status.unreachable:
        found = [Finding("database", "failing", status.unreachable)]
    else:
        found = [
            Finding("database", "well", "it answers"),
            _freshness(status, late, overdue),
            *_secret(status),
            *_tables(status),
        ]
    found += [*_runs(status, without), _schedule(status), _backup(status), _disk(status)]
    found.sort(key=lambda finding: -LEVELS.index(finding.level))
    return Verdict(found[0].level, tuple(found), late, overdue)


def _last_full(status: Status) -> datetime | None:
    """The last good full pass, or what stands for it where there is none on record."""
    return status.last_good.get("full") or status.last_good.get("campuses") or status.published_at


def _deadlines(status: Status) -> tuple[datetime | None, datetime | None]:
    """Until when the last good passes are fresh, and until when they are good enough."""
    full = _last_full(status)
    if full is None:
        return None, None
    late, overdue = full + FULL_LATE, full + FULL_OVERDUE
    if "live" in status.schedule:
        newest = max(full, status.last_good.get("live", full))
        late, overdue = min(late, newest + LIVE_LATE), min(overdue, newest + LIVE_OVERDUE)
    return late, overdue


def _freshness(status: Status, late: datetime | None, overdue: datetime | None) -> Finding:
    full = _last_full(status)
    under_way = " One is under way." if status.running else ""
    if full is None or late is None or overdue is None:
        level: Level = "degraded" if under_way else "failing"
        return Finding("freshness", level, f"Nothing is published yet: `make sync`.{under_way}")
    newest = max(full, status.last_good.get("live", full))
    lately = "" if newest == full else f", the last live pass {_hours(status.at - newest)} ago"
    kinds = {"full": "full pass", "campuses": "pass of some campuses"}
    kind = next((kinds[mode] for mode in kinds if mode in status.last_good), "publication")
    text = f"The last good {kind} ended {_hours(status.at - full)} ago{lately}"
    if status.at <= late:
        return Finding("freshness", "well", text)
    hint = "`make sync`" if status.scheduled_by else "`make sync`, and `make cron-install` for good"
    level = "failing" if status.at > overdue else "degraded"
    return Finding("freshness", level, f"{text}: {hint}.{under_way}", late)


def _secret(status: Status) -> Iterator[Finding]:
    application = status.application
    if not application:
        return
    until, renew = application["secret_valid_until"], "make a new one on the intra (Settings > API)"
    if application.get("refused_at"):
        yield Finding(
            "secret",
            "failing",
            "The API refuses the application's credentials since "
            f"{_minute(application['refused_at'])}: {renew} and put it into .env.",
            application["refused_at"],
        )
    elif until and until <= status.at:
        text = f"The application's secret expired on {until:%Y-%m-%d}: {renew} and put it into .env"
        yield Finding("secret", "failing", f"{text}.", until)
    elif until and until - status.at < timedelta(days=WARN_SECRET_DAYS):
        days = (until - status.at) / timedelta(days=1)
        yield Finding(
            "secret",
            "degraded",
            f"The application's secret expires in {days:.1f} days: {renew} and put it into .env as "
            "FORTYTWO_CLIENT_SECRET_NEXT.",
        )
    else:
        good = f"good until {until:%Y-%m-%d}" if until else "its end is unknown"
        yield Finding("secret", "well", good)
    if application["using_next_secret"]:
        yield Finding(
            "next secret",
            "degraded",
            "FORTYTWO_CLIENT_SECRET is refused and FORTYTWO_CLIENT_SECRET_NEXT took over: make it "
            "the current one in .env.",
        )


def _tables(status: Status) -> Iterator[Finding]:
    """Optional tables that the last pass left as they were."""
    for table, row in sorted(status.degraded.items()):
        yield Finding(
            f"table {table}",
            "degraded",
            f"raw.{table} is as it was before {_minute(row['at'])}: {row['reason']} "
            "`make sync` reads it again.",
            row["at"],
        )


def _runs(status: Status, without: str) -> Iterator[Finding]:
    """Runs and jobs whose last end was a failure that nothing has mended since."""
    runs = {run["mode"]: run for run in status.runs}
    jobs = {job for job in status.jobs if not job.startswith("sync ")}
    passes = {job.removeprefix("sync ") for job in status.jobs} & MENDED_BY.keys()
    for name in sorted({*runs, *passes, *jobs} - {without}):
        job = status.jobs.get(name if name in jobs else f"sync {name}")
        run = runs.get(name)
        ends: list[tuple[datetime, datetime, str]] = []
        if job and job.status == "failed":
            since = datetime.fromisoformat(job.failing_since or job.started_at)
            ends.append((datetime.fromisoformat(job.finished_at), since, job.message or ""))
        if run and run["status"] == "failed":
            ended = run["finished_at"] or run["started_at"]
            ends.append((ended, run["started_at"], run["message"] or ""))
        good = [
            status.last_good[mode] for mode in MENDED_BY.get(name, ()) if mode in status.last_good
        ]
        open_ends = [end for end in ends if end[0] > max(good, default=end[0] - timedelta(1))]
        label = name if name in jobs else f"sync {name}" if name != "build" else "dbt build"
        if open_ends:
            message = max(open_ends)[2].strip().rstrip(".")
            if status.unreachable and message == status.unreachable.rstrip("."):
                message = "the database is out of reach"
            first = min(since for _, since, _ in open_ends)
            again = AGAIN.get(name)
            yield Finding(
                label,
                "degraded" if name in HARMLESS else "failing",
                f"{label} fails since {_minute(first)}: {message}."
                + (f" Try again: `{again}`." if again and f"`{again}`" not in message else ""),
                first,
            )
        elif (run and run["status"] != "running") or job:
            yield Finding(label, "well", "the last one went well")


def _schedule(status: Status) -> Finding:
    if status.schedule_stopped:
        return Finding("schedule", "degraded", status.schedule_stopped)
    by = f"{', '.join(status.schedule)} by {status.scheduled_by}"
    return Finding("schedule", "well", by if status.schedule else "nothing is scheduled here")


def _backup(status: Status) -> Finding:
    if status.backups_unreadable:
        return Finding("backups", "degraded", status.backups_unreadable)
    newest = status.backup["at"] if status.backup else None
    if "backup" not in status.schedule or (newest and status.at - newest <= BACKUP_LATE):
        age = f"the newest is {_hours(status.at - newest)} old" if newest else "none is scheduled"
        return Finding("backups", "well", age)
    if newest is None:
        return Finding("backups", "degraded", "There is no backup yet: `make backup`.")
    days = (status.at - newest) / timedelta(days=1)
    text = f"The newest backup is {days:.1f} days old: `make backup`."
    return Finding("backups", "degraded", text, newest + BACKUP_LATE)


def _disk(status: Status) -> Finding:
    free, total = status.disk["free_bytes"], status.disk["total_bytes"]
    text = f"{free / 1e9:,.1f} GB free, {100 * free / total:.0f} %"
    if free >= max(LEAST_FREE * total, 2 * status.database.get("bytes", 0)):
        return Finding("disk", "well", text)
    return Finding(
        "disk",
        "degraded",
        f"The disk of .local has {text}: less than a build and a backup may need. Make room; "
        "`du -sh .local/*` shows what is ours.",
    )


def _hours(passed: timedelta) -> str:
    hours = passed / timedelta(hours=1)
    return f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} min"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
