"""The data dictionary from the contracts: docs/data-dictionary.md, checked in, and the page."""

from pathlib import Path

from ops.site.catalog.contracts import Contracts
from ops.site.catalog.joins import joins
from ops.site.pages import PAGES, make_page, render
from ops.site.status_page import freshness_html
from ops.status.status import Status

PAGE = "data-dictionary.html"


def data_dictionary(contracts: Contracts) -> str:
    """The whole document in Markdown."""
    return render("data-dictionary.md.j2", contracts=contracts)


def write_dictionary_page(site: Path, contracts: Contracts, status: Status) -> Path:
    """Write the page, which can be searched and has statements to copy; returns its path."""
    rows = {row["table"]: row["rows"] for row in status.tables}
    return make_page(
        site,
        PAGE,
        *PAGES,
        tables=contracts.tables,
        reports=contracts.reports,
        joins={table.name: joins(contracts, table, rows) for table in contracts.tables},
        freshness=lambda name: freshness_html(status, name),
    )
