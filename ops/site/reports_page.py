"""`site/reports.html`: every report as a table, most as a chart, by campus; aggregates, no person.

What is shown of a report stands in reports.toml. All figures are the queries' own: the page only
picks the rows of a campus, sorts and draws.
"""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
from markupsafe import Markup
from psycopg2.extensions import connection as Connection

from extract.base.query import execute, exists
from extract.tables.streams import ESSENTIAL
from ops.site.charts import vega
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
                name: vega.specification(
                    f"report-{report['chart']['kind']}", title=report["title"], **report["chart"]
                )
                for name, report in REPORTS.items()
                if "chart" in report
            },
            "tables": {name: table for name, table in read.items() if table},
            "relations": {name: report.get("read", []) for name, report in REPORTS.items()},
            "off": [
                name
                for name, report in REPORTS.items()
                if report.get("stream", ESSENTIAL) not in status.streams
            ],
        },
        vega=Markup(vega.bundle()),
    )


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
            return cell and vega.iso(cell)
        return int(cell) if float(cell).is_integer() else float(cell)

    values = [[value(cell) for cell in row] for row in rows]
    return {"columns": columns, "rows": values, "texts": list(texts)}


def _campuses(connection: Connection) -> list[tuple[Any, ...]]:
    if not exists(connection, "mirror.campuses"):
        return []
    return execute(connection, "select id, name from mirror.campuses order by name, id")
