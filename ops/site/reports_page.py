"""`site/reports.html`: every report as a table, most as a chart, by campus; aggregates, no person.

What is shown of a report stands in reports.toml. All figures are the queries' own: the page only
picks the rows of a campus, sorts and draws.
"""

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
from markupsafe import Markup
from psycopg2.extensions import connection as Connection

from extract.base.query import execute, exists
from extract.tables.streams import ESSENTIAL
from ops.site.charts import vega
from ops.site.charts.frames import Spec, bars, chart, field, iso, legend, numbers
from ops.site.history import connected
from ops.site.pages import make_page, site_directory
from ops.site.status_page import banner_html
from ops.status.status import Status
from ops.status.verdict import Verdict

PAGE = "reports.html"
REPORTS: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("reports.toml").read_text(encoding="utf-8")
)
PATIENCE = "60s"
OLDEST = timedelta(hours=6)  # the days to a blackhole go by without a publication
WEEKDAYS = "['', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'][datum.value]"
TOP = 12


def write_if_due(status: Status, verdict: Verdict) -> Path | None:
    """Write the page when something was published since it was made, or it is six hours old."""
    page = site_directory() / PAGE
    if status.unreachable or not status.published_at:
        return None
    if page.exists():
        made = datetime.fromtimestamp(page.stat().st_mtime, UTC)
        if status.published_at < made and datetime.now(UTC) - made < OLDEST:
            return None
    return write(status, verdict)


def write(status: Status, verdict: Verdict, directory: Path | None = None) -> Path:
    """Write the page; returns its path.

    Raises:
        psycopg2.Error: The database was not reached.
    """
    site = directory or site_directory()
    with connected("reports", PATIENCE) as connection:
        read = {name: read_report(connection, name) for name in REPORTS}
        campuses = _campuses(connection)
    return make_page(
        site,
        PAGE,
        *("incidents.html", "status.html"),
        banner=banner_html(status, verdict),
        status=status,
        reports=REPORTS,
        read=read,
        campuses=campuses,
        data={
            "charts": {
                name: _chart(name, **report["chart"])
                for name, report in REPORTS.items()
                if "chart" in report
            },
            "tables": {name: table for name, table in read.items() if table},
            "relations": {name: report.get("read", []) for name, report in REPORTS.items()},
            "off": [name for name in REPORTS if _stream_of(name) not in status.streams],
        },
        vega=Markup(vega.bundle()),
    )


def _stream_of(name: str) -> str:
    """The stream that a report stands on."""
    return str(REPORTS[name].get("stream", ESSENTIAL))


def read_report(connection: Connection, name: str) -> dict[str, Any] | None:
    """A report's rows, texts by their number in a list: {columns, rows, texts}; None without it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(REPORTS[name]["query"])
            columns = [column.name for column in cursor.description or ()]
            rows = cursor.fetchall()
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.QueryCanceled):
        return None
    texts: dict[str, int] = {}

    def value(cell: Any) -> Any:
        if isinstance(cell, str):
            return [texts.setdefault(cell, len(texts))]
        if cell is None or isinstance(cell, datetime):
            return cell and iso(cell)
        return int(cell) if float(cell).is_integer() else float(cell)

    values = [[value(cell) for cell in row] for row in rows]
    return {"columns": columns, "rows": values, "texts": list(texts)}


def _campuses(connection: Connection) -> list[tuple[Any, ...]]:
    if not exists(connection, "mirror.campuses"):
        return []
    return execute(connection, "select id, name from mirror.campuses order by name, id")


def _chart(report: str, kind: str, **fields: Any) -> Spec:
    """The chart's specification without its rows, which the page fills in."""
    kinds: dict[str, Callable[..., Spec]]
    kinds = {"columns": _columns, "bars": _bars, "heatmap": _heatmap}
    return kinds[kind](REPORTS[report]["title"], **fields)


def _number(name: str) -> Spec:
    share = name.startswith("share") or name.endswith("rate")
    return field(name, "quantitative", format=".1%" if share else ",.0f")


def _columns(title: str, x: str, y: list[str], upto: int = 0) -> Spec:
    scale = {"domain": list(range(1, upto + 1))} if upto else {}
    axis = {"title": x.replace("_", " "), "labelAngle": 0}
    axis |= {"labelOverlap": True, "labelSeparation": 8}
    spec = chart(
        title,
        [],
        mark={"type": "bar", "cornerRadiusEnd": 2},
        encoding={
            "x": field(x, "ordinal", scale=scale, axis=axis),
            "y": field("value", "quantitative", stack=None, axis=numbers(y[0])),
            "color": legend("key", {y[0]: "@soft", y[-1]: "@accent"}),
            "tooltip": [{"field": x}, {"field": "key"}, _number("value")],
        },
    )
    return spec | {"transform": [{"fold": y}], "usermeta": {"values": y}}


def _bars(
    title: str, name: str, value: str, by: str = "", order: str = "descending", whole: bool = False
) -> Spec:
    rank = {"sort": [{"field": by, "order": order}]} if by else {}
    spec = bars(
        title,
        [],
        name,
        _number(value),
        y=field("nth", "ordinal", axis=None),
        colour="@accent",
        scale={"domain": [0, 1]} if whole else {},
    )
    return spec | {
        "usermeta": {"values": [value], "rows": TOP, "height": 34},
        "transform": [
            {"filter": f"isValid(datum['{value}'])"},
            {"window": [{"op": "row_number", "as": "nth"}], **rank},
            {"filter": f"datum.nth <= {TOP}"},
        ],
    }


def _heatmap(title: str, x: str, y: str, value: str) -> Spec:
    hours = {"title": x, "labelAngle": 0, "labelOverlap": True}
    days = {"title": None, "labelExpr": WEEKDAYS}
    spec = chart(
        title,
        [],
        mark={"type": "rect"},
        encoding={
            "x": field(x, "ordinal", scale={"domain": list(range(24))}, axis=hours),
            "y": field(y, "ordinal", scale={"domain": list(range(1, 8))}, axis=days),
            "color": field(
                value,
                "quantitative",
                scale={"range": ["@raised", "@accent"]},
                legend={"title": value, "orient": "top", "gradientLength": 140},
            ),
            "tooltip": [{"field": y}, {"field": x}, _number(value)],
        },
    )
    return spec | {"usermeta": {"values": [value]}}
