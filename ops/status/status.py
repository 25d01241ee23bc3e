"""What `make status` knows: a reading of `ops`, of the files beside it, and of the schedule.

Counts, times and states; no secrets and no people.
"""

import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from extract.api.quota import Quota, seconds_left
from extract.base import database, logs
from extract.base.errors import MirrorError
from extract.base.lock import ENDED_WITHOUT_A_WORD, sessions
from extract.base.query import Statement, records
from extract.base.settings import Settings, environment, local_directory
from extract.load.raw import Raw
from extract.tables import TABLES, Table, backfilled, streams_on
from ops.backup import archive
from ops.schedule import crontab, heartbeat, pause, units
from ops.schedule.schedule import Schedule
from ops.status import queries
from ops.status.outcomes import Outcome, last_outcomes

Row = dict[str, Any]
READ_WITH = {"comes_with": Json({t.name: t.comes_with for t in TABLES.values() if t.comes_with})}
SYSTEMD = Path("/run/systemd/system")  # there while it runs: sd_booted(3)
# the phase of a run that makes no more calls, whose number says nothing of its end
BUILDING = "build and publish"


@dataclass
class Status:
    """The state of the mirror, as far as it can be read.

    Attributes:
        unreachable: Why the database could not be asked; empty when it could.
        runs: The last run of each mode; `last_good`: when each mode last ended well.
        running: Who holds the run lock; None when nobody does.
        at_work: Phase, calls, planned calls and expected end of the run that holds it.
        degraded: Optional tables that the last pass left as they were: reason and time of each.
        tables: Rows, last publication's changes and times of each mirror table.
        streams: Those that are on.
        backfill: Students read and left of each big relation, and hours left at today's pace.
        backups_unreadable: Why nothing is known of the backups; empty when they can be looked at.
        schedule: When each job runs next; `scheduled_by`: cron, systemd, scheduler or nothing.
        schedule_stopped: Why what is scheduled does not run, and what to do; empty when it runs.
    """

    at: datetime
    unreachable: str = ""
    started: bool = False
    database: Row = field(default_factory=dict)
    runs: list[Row] = field(default_factory=list)
    last_good: dict[str, datetime] = field(default_factory=dict)
    running: str | None = None
    at_work: Row | None = None
    degraded: dict[str, Row] = field(default_factory=dict)
    published_at: datetime | None = None
    tables: list[Row] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)
    calls: Row = field(default_factory=dict)
    streams: list[str] = field(default_factory=list)
    backfill: list[Row] = field(default_factory=list)
    application: Row | None = None
    backup: Row | None = None
    backups_unreadable: str = ""
    disk: Row = field(default_factory=dict)
    jobs: dict[str, Outcome] = field(default_factory=dict)
    scheduled_by: str = ""
    schedule: dict[str, datetime] = field(default_factory=dict)
    schedule_stopped: str = ""

    def settled(self, run: Row) -> Row:
        """A run as it is: the record of a killed one says that it runs, until the next one."""
        # a dbt that somebody starts by hand holds the lock under another id, or not at all
        at_work = run["mode"] == "build" or run["run_id"] in (self.running or "")
        if run["status"] != "running" or at_work:
            return run
        return run | {"status": "failed", "message": ENDED_WITHOUT_A_WORD}


def read_status(connection: Connection | None = None, now: datetime | None = None) -> Status:
    """Read it, as far as it can be read: without the database too."""
    status = Status(now or datetime.now(UTC))
    own = None
    try:
        if connection is None:
            connection = own = database.connect("fortytwo-mirror status", autocommit=True)
        _read_database(connection, status)
    except (MirrorError, psycopg2.Error) as error:
        status.unreachable = logs.without_secrets(" ".join(str(error).split()))
    finally:
        if own:
            own.close()
    _read_files(status)
    _read_schedule(status)
    if status.scheduled_by in ("cron", "systemd"):  # whose jobs begin with ops/scheduled.sh
        status.schedule_stopped = status.schedule_stopped or pause.left_behind(status.at)
    return status


def _read_database(connection: Connection, status: Status) -> None:
    def rows(needs: str, query: Statement, values: Mapping[str, Any] | None = None) -> list[Row]:
        return records(connection, query, values, needs=needs)

    status.database = rows("", queries.DATABASE)[0]
    status.database["embedded"] = database.uses_embedded_server()
    holders = sessions(connection)
    status.running = holders[0][0] if holders else None
    status.runs = [status.settled(run) for run in rows("ops.runs", queries.RUNS)]
    status.started = bool(status.runs)
    status.last_good = queries.last_good(connection)
    found = rows("ops.runs ops.listings", queries.DEGRADED)
    status.degraded = {
        row["table_name"]: {"at": row["at"], "reason": row["reason"]}
        for row in found
        if row["table_name"] in TABLES
    }
    published = rows("ops.runs", queries.PUBLISHED)
    if published:
        status.published_at = published[0]["published_at"]
        status.rejected = published[0]["rejected"] or {}
        counts, changes = published[0]["rows"] or {}, published[0]["changes"] or {}
        read = {
            row["table_name"]: row["read_at"]
            for row in rows("ops.listings", queries.READ, READ_WITH)
        }
        changed = rows("ops.change_sets", queries.CHANGED)
        changed_at = {row["table_name"]: row["changed_at"] for row in changed}
        status.tables = [
            {
                "table": name,
                "rows": counts[name],
                **{kind: changes.get(name, {}).get(kind, 0) for kind in queries.KINDS},
                "changed_at": changed_at.get(name),
                "read_at": read.get(name),
            }
            for name in sorted(counts)
        ]
    calls = rows("ops.api_calls", queries.CALLS)
    status.calls = {**(calls[0] if calls else {}), **_quota()}
    status.streams = sorted(streams_on())
    by_parents: defaultdict[str, list[Table]] = defaultdict(list)
    for table in map(TABLES.__getitem__, backfilled(status.streams)):
        by_parents[table.parents].append(table)
    for parents, (table, *others) in by_parents.items():
        query = queries.BACKFILL.format(
            called=sql.Literal(queries.PARENTS[parents]),
            reads=sql.Identifier(table.reads),
            parent=sql.Identifier(table.parent),
        )
        values = {
            "parents": Raw(connection).parents(table),
            "backfilled": [one.name for one in (table, *others)],
        }
        status.backfill += rows(f"ops.{table.reads} raw.users", query, values)
    application = rows("ops.application", queries.APPLICATION)
    status.application = application[0] if application else None
    run_id = (status.running or "").rpartition(" ")[2]
    at_work = rows("ops.runs", queries.AT_WORK, {"run_id": run_id})
    if at_work:
        status.at_work = at_work[0] | {"ends_at": _end(at_work[0], status)}


def _end(run: Row, status: Status) -> datetime | None:
    """When the run at work will have read all, if it says what it has planned."""
    if run["phase"] == BUILDING or not (
        run["planned_calls"] and run["calls"] and "left_now" in status.calls
    ):
        return None
    pace = (status.at - run["started_at"]).total_seconds() / run["calls"]
    quota = status.calls["left_now"], status.calls["hourly_limit"]
    to_do = max(0, run["planned_calls"] - run["calls"])
    return status.at + timedelta(seconds=seconds_left(to_do, pace, *quota))


def _quota() -> Row:
    """What this machine knows of the hour's calls, without asking the API."""
    try:
        left, hourly, _ = Quota(Settings.load().application).left()
    except (MirrorError, OSError):
        return {}
    return {"left_now": left, "hourly_limit": hourly}


def _read_files(status: Status) -> None:
    local = local_directory()
    status.jobs = last_outcomes()
    found: list[archive.Backup] = []
    try:
        found = archive.backups(archive.folder())
    except MirrorError as error:  # a disk that is not mounted is no reason to say nothing else
        status.backups_unreadable = str(error)
    if found:
        status.backup = {
            "file": str(found[0].path),
            "at": found[0].at,
            "bytes": found[0].path.stat().st_size,
            "count": len(found),
            "encrypted": found[0].path.suffix == ".age",
        }
    here = local if local.is_dir() else Path.cwd()
    usage = shutil.disk_usage(here)
    status.disk = {
        "free_bytes": usage.free,
        "total_bytes": usage.total,
        "local": {path.name: size_of(path) for path in sorted(local.iterdir()) if path.is_dir()}
        if local.is_dir()
        else {},
    }


def size_of(directory: Path) -> int:
    """Bytes of all files below a directory; files that go meanwhile do not matter."""
    total = 0
    for parent, _, files in os.walk(directory):
        for name in files:
            try:
                total += (Path(parent) / name).lstat().st_size
            except OSError:
                continue
    return total


def _read_schedule(status: Status) -> None:
    silent = heartbeat.silence()
    try:
        if silent is not None and silent < heartbeat.SILENT_FOR:
            status.scheduled_by = "scheduler"
            status.schedule = Schedule.load(environment()).next_runs(status.at)
            return
        text = crontab.read(where_allowed=True)
        installed = crontab.installed_schedule(text)
    except MirrorError as error:
        status.schedule_stopped = str(error)
        return
    if gone := crontab.gone_blocks(text):
        status.schedule_stopped = crontab.said_of(gone)
    if installed:
        status.scheduled_by, status.schedule = "cron", installed.next_runs(status.at)
        if not crontab.daemon_runs():
            status.schedule_stopped = (
                "The schedule is in your crontab, but no cron daemon runs on this machine: start "
                "it (on Debian and Ubuntu: `systemctl enable --now cron`)."
            )
        return
    if SYSTEMD.is_dir():
        status.schedule = units.next_runs()
    status.scheduled_by = "systemd" if status.schedule else ""
    if silent is not None and not status.schedule:
        status.schedule_stopped = (
            f"The scheduler gave its last sign of life {silent / 3600:.1f} hours ago: start it "
            "again (`docker compose up -d scheduler`), or remove .local/scheduler.alive."
        )
