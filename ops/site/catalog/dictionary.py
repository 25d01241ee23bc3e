"""The data dictionary from the contracts: docs/data-dictionary.md, checked in, and the page."""

from collections.abc import Iterator

from ops.site.catalog.contracts import Contracts, Table
from ops.site.catalog.joins import joins
from ops.site.pages import PAGES, render
from ops.site.status_page import freshness_html
from ops.status.status import Status

PAGE = "data-dictionary.html"

INTRODUCTION = """\
# Data dictionary

Every table of the schema `mirror` and every view of the schema `reports`. Generated from the
contracts in `dbt_project/models` by `python -m ops data-dictionary`: change a description there,
not here. The same texts are in the database as comments: `\\d+ mirror.users` in `make psql`.

Times are `timestamp with time zone`; sessions of the mirror show them in UTC. A column that is not
marked "not null" may be null, because the API may leave it out.
"""


def data_dictionary(contracts: Contracts) -> str:
    """The whole page."""
    return "\n".join(_lines(contracts)).rstrip() + "\n"


def dictionary_html(contracts: Contracts, status: Status) -> str:
    """The page, which can be searched and has statements to copy."""
    rows = {row["table"]: row["rows"] for row in status.tables}
    return render(
        "dictionary.html.j2",
        page=PAGE,
        pages=list(PAGES),
        tables=contracts.tables,
        reports=contracts.reports,
        joins={
            **{report.name: [] for report in contracts.reports},
            **{table.name: joins(contracts, table, rows) for table in contracts.tables},
        },
        freshness=lambda name: freshness_html(status, name),
    )


def _lines(contracts: Contracts) -> Iterator[str]:
    yield INTRODUCTION
    names = ", ".join(f"[{table.name}](#{table.name})" for table in contracts.tables)
    yield f"**mirror**: {names}\n"
    if contracts.reports:
        names = ", ".join(f"[{table.name}](#{table.name})" for table in contracts.reports)
        yield f"**reports**: {names}\n"
    for table in contracts.tables:
        yield from _table(table)
    for report in contracts.reports:
        yield from _report(report)


def _table(table: Table) -> Iterator[str]:
    key = ", ".join(f"`{name}`" for name in table.primary_key)
    yield f"## {table.name}\n\n{table.description} Primary key: {key}.\n"
    yield "| column | type | description |\n|---|---|---|"
    foreign = {key.column: key for key in table.foreign_keys}
    for column in table.columns:
        kind = column.data_type.replace("timestamp with time zone", "timestamptz")
        kind += ", not null" if column.not_null or column.name in table.primary_key else ""
        description = _cell(column.description)
        if column.name in foreign:
            target = foreign[column.name]
            description += f" → [{target.table}.{target.target}](#{target.table})"
        yield f"| `{column.name}` | {kind} | {description.strip()} |"
    yield ""


def _report(report: Table) -> Iterator[str]:
    yield f"## {report.name}\n\nA view of the schema `reports`. {report.description}\n"
    yield "| column | description |\n|---|---|"
    for column in report.columns:
        yield f"| `{column.name}` | {_cell(column.description)} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
