"""What `make status` knows: a reading of `ops`, of the files beside it, and of the schedule.

Counts, times and states; no secrets and no people.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor

from extract.api.quota import Quota
from extract.base import database
from extract.base.errors import MirrorError
from extract.base.settings import Settings, environment, local_directory
from extract.run import LOCK
from ops.backup import archive
from ops.schedule import crontab, scheduler, units
from ops.schedule.schedule import Schedule
from ops.status import queries as status_queries
from ops.status.attention import attention
from ops.status.outcomes import Outcome, last_outcomes

Row = dict[str, Any]


@dataclass
class Status:
    """The state of the mirror, as far as it can be read.

    Attributes:
        runs: The last run of each mode; `last_good`: when each mode last ended well.
        running: Who holds the run lock; None when nobody does.
        tables: Rows, last publication's changes and times of each mirror table.
        backfill: Students read and left of each big relation, and hours left at today's pace.
        schedule: When each job runs next; `scheduled_by`: cron, systemd or nothing.
        attention: Sentences on what an operator should look at.
    """

    at: datetime
    started: bool = False
    database: Row = field(default_factory=dict)
    runs: list[Row] = field(default_factory=list)
    last_good: dict[str, datetime] = field(default_factory=dict)
    running: str | None = None
    published_at: datetime | None = None
    tables: list[Row] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)
    calls: Row = field(default_factory=dict)
    backfill: list[Row] = field(default_factory=list)
    application: Row | None = None
    backup: Row | None = None
    disk: Row = field(default_factory=dict)
    jobs: dict[str, Outcome] = field(default_factory=dict)
    scheduled_by: str = ""
    schedule: dict[str, datetime] = field(default_factory=dict)
    attention: list[str] = field(default_factory=list)

    def document(self) -> Row:
        """Everything, for JSON."""
        return asdict(self)


def read_status(connection: Connection | None = None, now: datetime | None = None) -> Status:
    """Read it.

    Raises:
        MirrorError: The database cannot be reached.
    """
    status = Status(now or datetime.now(UTC))
    own = connection is None
    connection = connection or database.connect("fortytwo-mirror status", autocommit=True)
    try:
        _read_database(connection, status)
    finally:
        if own:
            connection.close()
    _read_files(status)
    _read_schedule(status)
    status.attention = attention(status)
    return status


def _read_database(connection: Connection, status: Status) -> None:
    def rows(relation: str, query: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """Rows of a query; none where a table is missing yet."""
        with connection.cursor(cursor_factory=RealDictCursor) as cursor:
            for name in relation.split():
                cursor.execute("select 1 where to_regclass(%s) is not null", (name,))
                if not cursor.fetchall():
                    return []
            cursor.execute(query, values)
            return [dict(row) for row in cursor.fetchall()]

    status.database = rows("", status_queries.DATABASE)[0]
    status.database["embedded"] = database.uses_embedded_server()
    running = rows("", status_queries.RUNNING, {"class": LOCK[0], "object": LOCK[1]})
    status.running = running[0]["application_name"] if running else None
    status.runs = rows("ops.runs", status_queries.RUNS)
    status.started = bool(status.runs)
    last_good = rows("ops.runs", status_queries.LAST_GOOD)
    status.last_good = {row["mode"]: row["finished_at"] for row in last_good}
    published = rows("ops.runs", status_queries.PUBLISHED)
    if published:
        status.published_at = published[0]["published_at"]
        status.rejected = published[0]["rejected"] or {}
        counts, changes = published[0]["rows"] or {}, published[0]["changes"] or {}
        read = {
            row["resource"]: row["read_at"] for row in rows("ops.listings", status_queries.READ)
        }
        changed = rows("ops.change_sets", status_queries.CHANGED)
        changed_at = {row["table_name"]: row["changed_at"] for row in changed}
        status.tables = [
            {
                "table": name,
                "rows": counts[name],
                **{kind: changes.get(name, {}).get(kind, 0) for kind in status_queries.KINDS},
                "changed_at": changed_at.get(name),
                "read_at": read.get(status_queries.RAW_TABLE.get(name, name)),
            }
            for name in status_queries.RAW_TABLE
            if name in counts
        ]
    calls = rows("ops.api_calls", status_queries.CALLS)
    status.calls = {**(calls[0] if calls else {}), **_quota()}
    status.backfill = rows("ops.relation_reads raw.users", status_queries.BACKFILL)
    application = rows("ops.application", status_queries.APPLICATION)
    status.application = application[0] if application else None


def _quota() -> Row:
    """What this machine knows of the hour's calls, without asking the API."""
    try:
        settings = Settings.load()
        quota = Quota(f"{settings.api_url} {settings.client_id}")
        left, hourly, _ = quota.left()
    except (MirrorError, OSError):
        return {}
    return {"left_now": left, "hourly_limit": hourly}


def _read_files(status: Status) -> None:
    local = local_directory()
    status.jobs = last_outcomes()
    found = archive.backups(archive.folder())
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
    try:
        schedule = crontab.installed_schedule(crontab.read()) if crontab.available() else None
    except MirrorError:
        schedule = None
    alive = age(_modified(scheduler.heartbeat()), status.at)
    if alive is not None and alive < timedelta(seconds=scheduler.SILENT_FOR):
        status.scheduled_by = "scheduler"
        status.schedule = Schedule.load(environment()).next_runs(status.at)
    elif schedule:
        status.scheduled_by, status.schedule = "cron", schedule.next_runs(status.at)
    else:
        status.schedule = units.next_runs()
        status.scheduled_by = "systemd" if status.schedule else ""


def _modified(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None


def age(moment: datetime | str | None, now: datetime) -> timedelta | None:
    """How long ago something was."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return now - moment if moment else None
