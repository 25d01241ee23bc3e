"""`site/incidents.html`: what went wrong in the last month, and how long each part worked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from extract.base.query import records
from ops.site.history import Row, connected
from ops.site.pages import make_page, site_directory
from ops.site.status_page import LEVELS, banner_html
from ops.status.queries import GOOD
from ops.status.status import Status
from ops.status.verdict import FULL_LATE, FULL_OVERDUE, HARMLESS, MENDED_BY, Level, Verdict
from ops.status.verdict import LEVELS as WORSE
from ops.upkeep.housekeeping import SHORT_DAYS

PAGE = "incidents.html"
DAYS = SHORT_DAYS  # failed runs are not kept longer
MOST = 60
EXTRACTION, BUILD, FRESHNESS = "Extraction", "Build and publication", "Freshness"
PARTS = {
    EXTRACTION: "from the 42 API to raw",
    BUILD: "from raw to mirror: dbt build, tests, one transaction",
    FRESHNESS: f"a good full pass at least every {FULL_LATE / timedelta(hours=1):.0f} hours",
}
# The phase of a failed run says where it failed; older databases lack the columns until a run.
RUNS = f"""
select
    run_id, mode, status, started_at, coalesce(finished_at, started_at) as ended_at, message,
    mode = 'build' or to_jsonb(runs) ->> 'phase' = 'build and publish' as building, {GOOD} as good,
    coalesce(nullif(to_jsonb(runs) -> 'degraded', 'null'), '{{}}') as degraded
from ops.runs
where started_at > date_trunc('day', now()) - interval '{DAYS + 2} days' and status <> 'running'
order by started_at
"""
LISTINGS = "select resource, run_id, finished_at from ops.listings order by finished_at"


@dataclass
class Incident:
    """A time in which a part did not work as it should.

    Attributes:
        level: `failing` or `degraded`, as the verdict has it.
        ended: None while it lasts.
        message: What happened, as the first run said it.
        runs: How many runs failed meanwhile; 0 where no run did.
    """

    part: str
    level: Level
    began: datetime
    ended: datetime | None
    message: str
    runs: int = 1

    def seconds(self, start: datetime, end: datetime) -> float:
        """How long it lasted between two moments."""
        last = min(self.ended or end, end)
        return max(0.0, (last - max(self.began, start)).total_seconds())


def write(status: Status, verdict: Verdict, directory: Path | None = None) -> Path | None:
    """Write the page; returns its path, None when the database does not answer.

    Raises:
        MirrorError, psycopg2.Error: The database was reached for the status, but not any more.
    """
    if status.unreachable:
        return None
    site = directory or site_directory()
    with connected("incidents") as connection:
        runs, incidents = read_incidents(connection, status.at)
    midnight = status.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)]
    newest = sorted(incidents, key=lambda incident: incident.began, reverse=True)
    parts = dict.fromkeys([*PARTS, *sorted({one.part for one in incidents} - PARTS.keys())])
    return make_page(
        site,
        PAGE,
        "status.html",
        banner=banner_html(status, verdict),
        levels=LEVELS,
        days=DAYS,
        parts=[_part(name, runs, incidents, days, status.at) for name in parts] if runs else [],
        incidents=newest[:MOST],
        more=len(newest[MOST:]),
        now_at=status.at,
    )


def read_incidents(connection: Connection, now: datetime) -> tuple[list[Row], list[Incident]]:
    """The runs of the last month, oldest first, and the incidents that they tell of.

    Freshness is that of full passes, or of whatever was published where there was none.
    """
    runs = records(connection, RUNS, needs="ops.runs")
    listings = records(connection, LISTINGS, needs="ops.listings")
    first = now - timedelta(days=DAYS)
    found = [*_failures(runs), *_silences(runs, now), *_degraded(runs, listings)]
    return runs, [incident for incident in found if (incident.ended or now) > first]


def _failures(runs: list[Row]) -> Iterator[Incident]:
    """From a failed run to the first later one that mends it; failures in between are counted."""
    last: dict[str, Incident] = {}
    for number, run in enumerate(runs):
        if run["status"] != "failed":
            continue
        part = BUILD if run["building"] else EXTRACTION
        level: Level = "degraded" if run["mode"] in HARMLESS else "failing"
        ended = next((r["ended_at"] for r in runs[number + 1 :] if _mends(r, run)), None)
        before = last.get(part)
        if before and (before.ended is None or before.ended > run["started_at"]):
            before.runs += 1
            before.level = max(before.level, level, key=WORSE.index)
            before.ended = max(before.ended, ended) if before.ended and ended else None
            continue
        last[part] = Incident(part, level, run["started_at"], ended, run["message"] or "")
        yield last[part]


def _mends(run: Row, failed: Row) -> bool:
    """Whether a later run shows that what a failed one failed at works again."""
    if failed["building"]:
        return bool(run["status"] in ("published", "unchanged"))
    read = run["good"] or run["status"] == "loaded" or (run["building"] and run["mode"] != "build")
    return read and run["mode"] in MENDED_BY.get(failed["mode"], (failed["mode"],))


def _silences(runs: list[Row], now: datetime) -> Iterator[Incident]:
    """Where good full passes were too far apart."""
    good = [run for run in runs if run["good"]]
    full = [run["ended_at"] for run in good if run["mode"] == "full"]
    ends = sorted(full or [run["ended_at"] for run in good])
    for one, other in pairwise([*ends, now] if ends else []):
        if other - one > FULL_LATE:
            hours = (other - one) / timedelta(hours=1)
            level: Level = "failing" if other - one > FULL_OVERDUE else "degraded"
            ended = None if other == now else other
            text = f"No good {'full pass' if full else 'run'} ended for {hours:.0f} hours"
            yield Incident(FRESHNESS, level, one + FULL_LATE, ended, text, runs=0)


def _degraded(runs: list[Row], listings: list[Row]) -> Iterator[Incident]:
    """From the run that left a table as it was to the one that read it again."""
    named = {run["run_id"]: run["degraded"] for run in runs}
    last: dict[str, Incident] = {}
    for run in runs:
        if run["status"] == "failed" or (run["status"] == "stopped" and run["mode"] != "backfill"):
            continue
        for table, reason in run["degraded"].items():
            before, at = last.get(table), run["ended_at"]
            if before and (before.ended is None or before.ended > at):
                before.runs += 1
                continue
            ended = next(
                (
                    listing["finished_at"]
                    for listing in listings
                    if listing["resource"] == table and listing["finished_at"] > at
                    if table not in named.get(listing["run_id"], {})
                ),
                None,
            )
            last[table] = Incident(f"Table {table}", "degraded", at, ended, reason)
            yield last[table]


def _part(
    name: str, runs: list[Row], incidents: list[Incident], days: list[datetime], now: datetime
) -> dict[str, Any]:
    """A part as the page shows it: how it is now, its share of time that worked, its days."""
    own = [incident for incident in incidents if incident.part == name]
    known = max(days[0], runs[0]["started_at"])
    lost = sum(incident.seconds(known, now) for incident in own)
    ran = {run["started_at"].astimezone(UTC).date() for run in runs}
    shown = [_day(day, own, day.date() in ran, now) for day in days]
    levels = [str(day["level"]) for day in shown]
    idle = all(day["level"] == "none" for day in shown[-2:])
    level = max((i.level for i in own if not i.ended), key=WORSE.index, default="well")
    return {
        "name": name,
        "about": PARTS.get(name, "an optional table, which stops nothing"),
        "level": "none" if level == "well" and idle else level,
        "worked": 1 - lost / max(1.0, (now - known).total_seconds()),
        "days": shown,
        "counted": {level: levels.count(level) for level in (*WORSE, "none")},
    }


def _day(day: datetime, incidents: list[Incident], ran: bool, now: datetime) -> dict[str, Any]:
    end = min(day + timedelta(days=1), now)
    found = [incident for incident in incidents if incident.seconds(day, end) > 0]
    level = max((incident.level for incident in found), key=WORSE.index, default="well")
    if not found and not ran:
        level = "none"
    lost = sum(incident.seconds(day, end) for incident in found)
    return {"day": day.date(), "level": level, "lost": lost}
