"""The status page's charts, with their data inside.

Colours are named ("@good"): the page fills in its theme's own, and fills them in again when the
reader's machine turns dark or light.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from ops.site.charts.vega import Spec, iso, specification
from ops.site.history import History, Row

HOURLY_LIMIT = 1200
LEAST_RANGE = 0.1  # of a sparkline's height, in parts of the largest value
ACTIONS = {"inserted": "@good", "updated": "@accent", "deleted": "@bad"}
OUTCOMES = {"answered": "@accent", "failed, tried again": "@warn", "over the limit (429)": "@bad"}
PHASES = {
    "prepare": "@c5",
    "read": "@accent",
    "load": "@c2",
    "backfill": "@c3",
    "build and publish": "@c4",
}


def all_charts(history: History, rejected: dict[str, int]) -> dict[str, Spec]:
    """Every chart by the id of the element it is drawn into; those without data are left out."""
    charts: dict[str, Spec] = {}
    for table in history.rows_now if len(history.rows) > 1 else ():
        charts[f"rows-{table}"] = rows_over_time(history, table)
    if history.changes:
        charts["changes"] = changes_per_day(history.changes)
    if rejected:
        charts["rejected"] = rejected_by_rule(rejected)
    if history.calls:
        charts["calls"] = calls_per_hour(history.calls, history.read_at)
    for mode in sorted({str(row["mode"]) for row in history.phases}):
        charts[f"phases-{mode}"] = phase_durations(
            [row for row in history.phases if row["mode"] == mode]
        )
    return charts


def rows_over_time(history: History, table: str) -> Spec:
    """The rows of one table, small, on a scale of its own: change is what it shows."""
    values = [
        {"at": iso(row["at"]), "rows": row["rows"][table]}
        for row in history.rows
        if table in row["rows"]
    ]
    counts = [int(value["rows"]) for value in values]
    # so wide that a drop of a hundredth does not look like a collapse
    margin = max((max(counts) - min(counts)) * 0.15, max(counts) * LEAST_RANGE / 2, 1)
    domain = [max(0, min(counts) - margin), max(counts) + margin]
    return specification("rows", table=table, values=values, domain=domain)


def changes_per_day(changes: Sequence[Row]) -> Spec:
    """Rows inserted, updated and deleted each day, all tables together."""
    totals: Counter[tuple[str, str]] = Counter()
    for row in changes:
        for action in ACTIONS:
            totals[row["day"], action] += row[action]
    values = [
        {"day": day, "action": action, "rows": rows} for (day, action), rows in totals.items()
    ]
    return specification("changes", values=values, colours=ACTIONS)


def rejected_by_rule(rejected: dict[str, int]) -> Spec:
    """Rows that each rule leaves out now, most first; names above, for narrow pages."""
    values = [
        {"rule": rule, "rows": rows}
        for rule, rows in sorted(rejected.items(), key=lambda item: (-item[1], item[0]))
        if rows
    ]
    return specification("rejected", values=values)


def calls_per_hour(calls: Sequence[Row], until: datetime) -> Spec:
    """API calls of each hour, by how they ended, and the API's limit as a line."""
    values = [
        {"hour": iso(row["hour"]), "outcome": row["outcome"], "calls": row["calls"]}
        for row in calls
    ]
    in_hour: Counter[str] = Counter()
    for value in values:
        in_hour[value["hour"]] += value["calls"]
    highest = max(HOURLY_LIMIT, *in_hour.values())
    shown = [iso(until - timedelta(hours=47)), iso(until)]
    return specification(
        "calls",
        values=values,
        shown=shown,
        limit=HOURLY_LIMIT,
        highest=highest,
        colours=OUTCOMES,
    )


def phase_durations(phases: list[Row]) -> Spec:
    """How long the phases of the last runs of one mode took, the newest at the right."""
    values = [
        {"started": iso(row["started_at"]), "phase": row["phase"]}
        | {"seconds": round(row["seconds"], 2)}
        for row in phases
    ]
    runs = {row["started_at"] for row in phases}
    there = dict.fromkeys(row["phase"] for row in phases)
    known = [phase for phase in PHASES if phase in there]
    others = [phase for phase in there if phase not in PHASES]
    used = {phase: PHASES.get(phase, "@c6") for phase in known + others}
    mode = phases[0]["mode"]
    return specification("phases", mode=mode, values=values, runs=len(runs), colours=used)
