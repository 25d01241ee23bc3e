"""The overview, `site/index.html`: what the mirror is, its data, its rules, how fresh it is."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from ops.site.catalog.contracts import Contracts
from ops.site.catalog.diagram import entity_relationship_svg
from ops.site.handbook import Chapter
from ops.site.history import History
from ops.site.pages import render
from ops.status.status import Status


def overview_html(
    contracts: Contracts,
    history: History,
    status: Status,
    banner: Markup,
    chapters: list[Chapter],
    pages: list[str],
) -> str:
    """The page."""
    rows = history.rows_now
    order = {name: position for position, name in enumerate(rows)}
    return render(
        "index.html.j2",
        page="index.html",
        pages=pages,
        contracts=contracts,
        history=history,
        status=status,
        banner=banner,
        chapters=[chapter for chapter in chapters if chapter.name != "index"],
        tables=sorted(contracts.tables, key=lambda table: order.get(table.name, 99)),
        rows=rows,
        changed={  # the day on which each table last changed
            row["table"]: f"{row['changed_at']:%Y-%m-%d}"
            for row in status.tables
            if row["changed_at"]
        },
        rules=_rules(contracts, status),
        diagram=Markup(entity_relationship_svg(contracts, rows)),
    )


def _rules(contracts: Contracts, status: Status) -> list[dict[str, Any]]:
    """The rules by number, each with the rows that its parts leave out now."""
    grouped: dict[int, list[dict[str, Any]]] = {}
    for rule in contracts.rules:
        names = [(name, status.rejected.get(name, 0)) for name in rule.names]
        grouped.setdefault(rule.number, []).append({"text": rule.text, "names": names})
    return [{"number": number, "parts": parts} for number, parts in grouped.items()]
