"""`make docs`: the whole site: overview, status, data dictionary, handbook, dbt's lineage."""

import functools
import http.server
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from markupsafe import Markup

from extract.base import database
from extract.base.errors import MirrorError, UsageError
from extract.base.settings import ROOT, local_directory
from extract.programs import DBT
from ops.site import incidents_page, reports_page, status_page
from ops.site.catalog.contracts import Contracts, read_contracts
from ops.site.catalog.dbt_docs import mended
from ops.site.catalog.diagram import entity_relationship_svg
from ops.site.catalog.dictionary import PAGE, data_dictionary, dictionary_html
from ops.site.catalog.lineage import read_lineage
from ops.site.handbook import DOCS, Chapter, chapters, copy_images
from ops.site.history import History, read_history
from ops.site.pages import PAGES, render, site_directory, write_page
from ops.status.status import Status, read_status
from ops.status.verdict import judge

DICTIONARY = DOCS / "data-dictionary.md"


def build() -> Path:
    """Make every page anew; returns the site's first.

    Raises:
        MirrorError: The database is not there, or dbt could not describe it.
    """
    database.ensure_server()
    site = site_directory()
    target = _dbt("docs", "generate", "--static")
    contracts = read_contracts(target / "manifest.json")
    with database.session("docs") as connection:
        history, status = read_history(connection), read_status(connection)
    own = (target / "static_index.html").read_text(encoding="utf-8")
    write_page(site, "dbt-docs.html", mended(own))
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    picture = render(
        "lineage.html.j2",
        page="lineage.html",
        pages=list(PAGES),
        lineage=read_lineage(manifest),
        texts={table.name: table.description for table in contracts.tables + contracts.reports},
    )
    write_page(site, "lineage.html", picture)
    copy_images(site)
    book = chapters()
    write_handbook(site, book)
    write_page(site, PAGE, dictionary_html(contracts, status))
    verdict = judge(status)
    banner = status_page.banner_html(status, verdict)
    overview = _overview(contracts, history, status, banner, book)
    first = write_page(site, "index.html", overview)
    reports_page.write(status, verdict, site)
    incidents_page.write(status, verdict, site)
    write_page(site, "status.html", status_page.status_html(history, status, verdict, site))
    return first


def _overview(
    contracts: Contracts, history: History, status: Status, banner: Markup, chapters: list[Chapter]
) -> str:
    """What the mirror is, its data, its rules, how fresh it is."""
    rows = history.rows_now
    order = {name: position for position, name in enumerate(rows)}
    return render(
        "index.html.j2",
        page="index.html",
        pages=list(PAGES),
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


def write_handbook(site: Path, book: list[Chapter]) -> None:
    """Write a page for each chapter; the dictionary has one of its own."""
    for chapter in (chapter for chapter in book if chapter.file != PAGE):
        text = render(
            "handbook.html.j2",
            page="handbook.html",
            pages=list(PAGES),
            chapter=chapter,
            chapters=book,
        )
        write_page(site, chapter.file, text)


def write_dictionary() -> Path:
    """Write docs/data-dictionary.md from the contracts; needs no database."""
    DICTIONARY.write_text(data_dictionary(current_contracts()), encoding="utf-8")
    return DICTIONARY


def current_contracts() -> Contracts:
    """The contracts as the dbt project has them now."""
    return read_contracts(_dbt("parse") / "manifest.json")


def serve(port: int) -> None:
    """Serve the site on this machine until Ctrl-C.

    Raises:
        UsageError: The port is taken.
    """
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=os.fspath(site_directory())
    )
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise UsageError(
            f"The site cannot be served on port {port}: {error.strerror}. Choose another one: "
            "make docs-serve PORT=8080"
        ) from error
    with server:
        server.serve_forever()


def _dbt(*arguments: str) -> Path:
    """Run dbt on this project; returns the folder with what it wrote."""
    folder = local_directory() / "dbt" / "docs"
    done = subprocess.run(
        [*DBT, "--quiet", *arguments, "--target-path", folder, "--log-path", folder],
        cwd=ROOT,
        env={**os.environ, **database.libpq_environment(), "PWD": str(ROOT)},
        check=False,
    )
    if done.returncode:
        raise MirrorError(
            f"dbt {arguments[0]} failed; its own message is above and the whole log in "
            f"{folder / 'dbt.log'}. No page was changed."
        )
    return folder
