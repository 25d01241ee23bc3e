"""`site/status.html`: what an operator wants at a glance, made from `ops` after every run."""

import os
import re
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ops.site.charts import vega
from ops.site.charts.status import all_charts
from ops.site.history import History, Row, connected, read_history
from ops.site.pages import PAGES, make_page, render, site_directory, write_page
from ops.status.status import Status
from ops.status.verdict import Level, Verdict
from ops.status.view import facts

KINDS = {"published": "good", "unchanged": "good", "failed": "bad", "stopped": "warn"}
LEVELS: dict[Level, str] = {"well": "good", "degraded": "warn", "failing": "bad"}
BANNER = re.compile(r"<!-- verdict -->.*?<!-- /verdict -->", re.DOTALL)
FRESHNESS = re.compile(r"<!-- freshness ([\w.]+) -->.*?<!-- /freshness -->", re.DOTALL)


def write(status: Status, verdict: Verdict, directory: Path | None = None) -> Path:
    """Write the page, renew verdict and freshness on other pages; returns the page's path.

    Raises:
        MirrorError, psycopg2.Error: The database was reached for the status, but not any more.
    """
    site = directory or site_directory()
    for page in (site / name for name in PAGES if name != "status.html"):
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        renewed = BANNER.sub(lambda _: banner_html(status, verdict), text)
        if not status.unreachable:
            renewed = FRESHNESS.sub(lambda match: freshness_html(status, match[1]), renewed)
        if renewed != text:
            made = page.stat()
            write_page(site, page.name, renewed)
            os.utime(page, (made.st_atime, made.st_mtime))  # its content is no younger
    history = History(status.at)
    if not status.unreachable:
        with connected("pages") as connection:
            history = read_history(connection)
    charts = all_charts(history, status.rejected)
    return make_page(
        site,
        "status.html",
        history=history,
        status=status,
        banner=banner_html(status, verdict),
        facts=facts(status, lambda moment: f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"),
        cards=[_card(history, table) for table in history.rows_now],
        runs=[_run(status.settled(run)) for run in history.runs[:25]],
        phase_modes=[name.removeprefix("phases-") for name in charts if name.startswith("phases-")],
        rows_table=[{"at": row["at"], **row["rows"]} for row in reversed(history.rows)],
        charts=charts,
        vega=Markup(vega.bundle()),
    )


def banner_html(status: Status, verdict: Verdict) -> Markup:
    """The verdict as pages show it: how old it is, and when it will turn amber and red."""
    text = render("banner.html.j2", status=status, verdict=verdict, levels=LEVELS)
    return Markup(text)


def freshness_html(status: Status, name: str) -> Markup:
    """How fresh a table of `mirror` or a view of `reports` is: `mirror.users`."""
    schema, _, table = name.partition(".")
    row = next((row for row in status.tables if row["table"] == table), None)
    row = row if schema == "mirror" else None
    return Markup(render("freshness.html.j2", name=name, schema=schema, table=row, status=status))


def _card(history: History, table: str) -> dict[str, Any]:
    rows = history.rows_now[table]
    week = history.read_at - timedelta(days=7)
    known = [row for row in history.rows if table in row["rows"]]
    before = [row for row in known if row["at"] <= week]
    if before:
        difference = rows - before[-1]["rows"][table]
        change = f"{difference:+,} in 7 days" if difference else "as 7 days ago"
    else:
        change = f"new on {known[0]['at']:%Y-%m-%d}"
    return {"table": table, "rows": rows, "change": change}


def _run(run: Row) -> Row:
    changed = sum(sum(counts.values()) for counts in (run["changes"] or {}).values())
    return {**run, "kind": KINDS.get(run["status"], ""), "changed": changed}
