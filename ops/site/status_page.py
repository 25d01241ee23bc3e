"""`site/status.html`: what an operator wants at a glance, made from `ops` after every run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from markupsafe import Markup
from psycopg2 import Error as DatabaseError
from psycopg2.extensions import connection as Connection

from extract.base import logs
from ops.site import vega
from ops.site.charts import HOURLY_LIMIT, all_charts
from ops.site.history import History, Row, read_history
from ops.site.pages import render, site_directory, write_page

PAGES = ("index.html", "status.html", "data-dictionary.html", "handbook.html", "lineage.html")
KINDS = {"published": "good", "unchanged": "good", "failed": "bad", "stopped": "warn"}
# Longest silence of an installation that is scheduled as recommended: nightly, or every 15 minutes.
NIGHTLY, LIVE = timedelta(hours=26), timedelta(hours=2)
PATIENCE_MILLISECONDS = 3000


@contextmanager
def after_run(connection: Connection) -> Iterator[None]:
    """Write the page when the run in this block ends, however it ends. Never fails the run."""
    try:
        yield
    finally:
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "select set_config('statement_timeout', %s, false)",
                    (str(PATIENCE_MILLISECONDS),),
                )
            write(connection)
        except (
            DatabaseError,
            OSError,
            TemplateError,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            logs.event(
                "status_page",
                level=logging.WARNING,
                message=f"site/status.html was not written: {type(error).__name__}: {error}",
            )


def write(connection: Connection, directory: Path | None = None) -> Path:
    """Read `ops`, write the page; returns its path."""
    site = directory or site_directory()
    return write_page(site, "status.html", status_html(read_history(connection), site))


def status_html(history: History, site: Path) -> str:
    """The page; `site` tells which other pages there are to link to."""
    charts = all_charts(history)
    return render(
        "status.html.j2",
        page="status.html",
        pages=existing_pages(site, "status.html"),
        version=version("fortytwo-mirror"),
        history=history,
        state=_state(history),
        cards=[_card(history, table) for table in history.rows_now],
        runs=[_run(run) for run in history.runs[:25]],
        limit=HOURLY_LIMIT,
        calls_now=_calls_this_hour(history),
        phase_modes=[name.removeprefix("phases-") for name in charts if name.startswith("phases-")],
        rows_table=[
            [_minute(row["at"]), *(row["rows"].get(table, 0) for table in history.rows_now)]
            for row in reversed(history.rows)
        ],
        changes_table=[
            [row["day"], row["table_name"], row["inserted"], row["updated"], row["deleted"]]
            for row in reversed(history.changes)
        ],
        calls_table=[
            [_minute(row["hour"]), row["outcome"], row["calls"]] for row in reversed(history.calls)
        ],
        rejected_table=sorted(history.rejected.items(), key=lambda item: -item[1]),
        phases_table=[
            [_minute(row["started_at"]), row["mode"], row["phase"], f"{row['seconds']:.1f}"]
            for row in reversed(history.phases)
        ],
        charts=charts,
        vega=Markup(vega.bundle()),
    )


def existing_pages(site: Path, *made_now: str) -> list[str]:
    """The pages that a link may name."""
    return [name for name in PAGES if name in made_now or (site / name).exists()]


def _state(history: History) -> dict[str, Any]:
    good = max(history.last_good.values(), default=None)
    ended = [run for run in history.runs if run["status"] != "running"]
    if good is None:
        return {
            "kind": "warn",
            "headline": "Nothing is published yet",
            "detail": "",
            "good_until": None,
        }
    live = "live" in history.last_good and history.last_good["live"] > good - timedelta(days=1)
    until = good + (LIVE if live else NIGHTLY)
    if ended and ended[0]["status"] == "failed":
        return {
            "kind": "bad",
            "headline": f"The last {ended[0]['mode']} run failed; mirror is as it was before",
            "detail": ended[0]["message"] or "",
            "good_until": None,
        }
    if until < datetime.now(UTC):
        return {
            "kind": "bad",
            "headline": "Overdue: no successful run lately",
            "detail": "",
            "good_until": None,
        }
    return {"kind": "good", "headline": "All is well", "detail": "", "good_until": until}


def _card(history: History, table: str) -> dict[str, Any]:
    rows = history.rows_now[table]
    week = history.read_at - timedelta(days=7)
    before = [row for row in history.rows if row["at"] <= week and table in row["rows"]]
    change = ""
    if before:
        difference = rows - before[-1]["rows"][table]
        change = f"{difference:+,} in 7 days" if difference else "as 7 days ago"
    elif history.rows:
        change = f"since {history.rows[0]['at']:%Y-%m-%d}"
    return {"table": table, "rows": rows, "change": change}


def _run(run: Row) -> Row:
    changed = sum(sum(counts.values()) for counts in (run["changes"] or {}).values())
    return {**run, "kind": KINDS.get(run["status"], ""), "changed": changed}


def _calls_this_hour(history: History) -> int:
    hour = history.read_at.replace(minute=0, second=0, microsecond=0)
    return sum(row["calls"] for row in history.calls if row["hour"] == hour)


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
