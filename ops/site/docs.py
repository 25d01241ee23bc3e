"""`make docs`: the whole site: overview, status, data dictionary, handbook, dbt's lineage."""

import functools
import http.server
import json
import os
from pathlib import Path

from extract.base import database
from extract.base.errors import MirrorError, UsageError
from extract.base.settings import local_directory
from extract.programs import run_dbt
from ops.site import incidents_page, reports_page, status_page
from ops.site.catalog.contracts import read_contracts
from ops.site.catalog.dbt_docs import mended
from ops.site.catalog.diagram import diagram
from ops.site.catalog.dictionary import PAGE, data_dictionary, write_dictionary_page
from ops.site.catalog.lineage import read_lineage
from ops.site.handbook import DOCS, chapters, copy_images
from ops.site.history import read_history
from ops.site.pages import PAGES, make_page, site_directory, write_page
from ops.status.status import read_status
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
    make_page(
        site,
        "lineage.html",
        *PAGES,
        lineage=read_lineage(manifest),
        texts={table.name: table.description for table in contracts.tables + contracts.reports},
    )
    copy_images(site)
    book = chapters()
    for chapter in book:
        if chapter.file != PAGE:  # the dictionary has a page of its own
            make_page(
                site, "handbook.html", *PAGES, file=chapter.file, chapter=chapter, chapters=book
            )
    write_dictionary_page(site, contracts, status)
    verdict = judge(status)
    rows = history.rows_now
    order = {name: position for position, name in enumerate(rows)}
    first = make_page(
        site,
        "index.html",
        *PAGES,
        contracts=contracts,
        status=status,
        banner=status_page.banner_html(status, verdict),
        chapters=[chapter for chapter in book if chapter.name != "index"],
        tables=sorted(contracts.tables, key=lambda table: order.get(table.name, 99)),
        rows=rows,
        changed={row["table"]: row["changed_at"] for row in status.tables if row["changed_at"]},
        diagram=diagram(contracts, rows),
    )
    reports_page.write(status, verdict, site)
    incidents_page.write(status, verdict, site)
    status_page.write(status, verdict, site)
    return first


def write_dictionary() -> Path:
    """Write docs/data-dictionary.md from the contracts; needs no database."""
    contracts = read_contracts(_dbt("parse") / "manifest.json")
    DICTIONARY.write_text(data_dictionary(contracts), encoding="utf-8")
    return DICTIONARY


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
    if run_dbt(*arguments, DBT_TARGET_PATH=str(folder), DBT_LOG_PATH=str(folder)):
        raise MirrorError(
            f"dbt {arguments[0]} failed; its own message is above and the whole log in "
            f"{folder / 'dbt.log'}. No page was changed."
        )
    return folder
