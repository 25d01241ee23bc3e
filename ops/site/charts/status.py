"""The status page's charts as Vega-Lite specifications, with their data inside.

Colours are named ("@good"): the page fills in its theme's own, and fills them in again when the
reader's machine turns dark or light.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from ops.site.charts.frames import Spec, bars, chart, count, field, iso, layers, legend, numbers
from ops.site.history import History, Row

HOURLY_LIMIT = 1200
FEW = 8  # runs, whose bars would be as wide as walls
LEAST_RANGE = 0.1  # of a sparkline's height, in parts of the largest value
APART = {"labelOverlap": True, "labelSeparation": 8}
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
    # a line, for nothing that is filled may begin elsewhere than at 0; and no drop of a hundredth
    # that looks like a collapse
    margin = max((max(counts) - min(counts)) * 0.15, max(counts) * LEAST_RANGE / 2, 1)
    domain = [max(0, min(counts) - margin), max(counts) + margin]
    scale = {"domain": domain, "nice": False, "zero": False}
    encoding = {
        "x": field("at", "temporal", axis=None),
        "y": field("rows", "quantitative", axis=None, scale=scale),
    }
    tooltip = [field("at", "temporal", format="%Y-%m-%d %H:%M", title="at"), count("rows")]
    line = {"type": "line", "interpolate": "step-after", "color": "@accent", "strokeWidth": 1.6}
    # where the pointer is, a value; seen only where a line alone would be nothing
    point = {"type": "circle", "color": "@accent", "size": 160, "opacity": 0}
    return layers(
        f"Rows of {table} over time",
        values,
        height=54,
        layers=[
            {"mark": line, "encoding": encoding},
            {"mark": point, "encoding": {**encoding, "tooltip": tooltip}},
        ],
    )


def changes_per_day(changes: Sequence[Row]) -> Spec:
    """Rows inserted, updated and deleted each day, all tables together."""
    totals: dict[tuple[str, str], int] = {}
    for row in changes:
        for action in ACTIONS:
            key = (str(row["day"]), action)
            totals[key] = totals.get(key, 0) + int(row[action] or 0)
    values = [
        {"day": day, "action": action, "rows": rows} for (day, action), rows in totals.items()
    ]
    day = {"timeUnit": "utcyearmonthdate"}
    dates = {"title": None, "format": "%d %b", "labelAngle": 0, "grid": False, **APART}
    # beside the first fill of a relation a day's other changes are still to be seen
    scale = {"type": "symlog", "constant": 10}
    powers = {**numbers("rows"), "values": [10**power for power in range(1, 8)]}
    return chart(
        "Changes per day",
        values,
        mark={"type": "bar", "cornerRadiusEnd": 2},
        encoding={
            "x": field("day", "ordinal", axis=dates, **day),  # once, however few there are
            "xOffset": {"field": "action", "sort": list(ACTIONS)},
            "y": field("rows", "quantitative", scale=scale, axis=powers),
            "color": legend("action", ACTIONS),
            "tooltip": [
                field("day", "temporal", title="day", **day),
                {"field": "action"},
                count("rows"),
            ],
        },
    )


def rejected_by_rule(rejected: dict[str, int]) -> Spec:
    """Rows that each rule leaves out now, most first; names above, for narrow pages."""
    values = [
        {"rule": rule, "rows": rows}
        for rule, rows in sorted(rejected.items(), key=lambda item: (-item[1], item[0]))
        if rows
    ]
    return bars(
        "Rejected rows by rule",
        values,
        "rule",
        count("rows"),
        y=field("rule", "nominal", sort=None, axis=None),
        colour="@warn",
        height=34 * len(values),
    )


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
    shown = {"domain": [iso(until - timedelta(hours=47)), iso(until)]}
    hours = {"title": None, "format": "%a %H:00", "grid": False, **APART}
    room = {"domain": [0, 1.12 * highest]}  # for the line's own name
    limit = {
        "data": {"values": [{"limit": HOURLY_LIMIT}]},
        "encoding": {"y": field("limit", "quantitative")},
    }
    rule = {"type": "rule", "color": "@bad", "strokeDash": [5, 4], "size": 1.5}
    encoding = {
        "x": field("hour", "temporal", timeUnit="utcyearmonthdatehours", scale=shown, axis=hours),
        "y": field("calls", "quantitative", axis=numbers("calls"), scale=room),
        "color": legend("outcome", OUTCOMES),
        "tooltip": [
            field("hour", "temporal", format="%a %d %b %H:%M", title="hour"),
            {"field": "outcome"},
            count("calls"),
        ],
    }
    name = {
        "type": "text",
        "align": "left",
        "baseline": "bottom",
        "dy": -4,
        "x": 4,
        "color": "@bad",
    }
    return layers(
        "API calls per hour",
        values,
        layers=[
            {"mark": {"type": "bar"}, "encoding": encoding},
            limit | {"mark": rule},
            limit | {"mark": name | {"text": f"the API's limit: {HOURLY_LIMIT:,} an hour"}},
        ],
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
    unlabelled = {"title": None, "labels": False, "ticks": False}
    return chart(
        f"Seconds of each phase, {phases[0]['mode']} runs",
        values,
        height=130,
        mark={"type": "bar", "width": {"band": 0.9} if len(runs) >= FEW else 24},
        encoding={
            "x": field("started", "ordinal", axis=unlabelled),
            "y": field("seconds", "quantitative", axis=numbers("seconds")),
            "color": legend("phase", used),
            "tooltip": [
                field("started", "nominal", title="run of"),
                {"field": "phase"},
                field("seconds", "quantitative", format=",.1f"),
            ],
        },
    )
