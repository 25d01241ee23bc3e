"""The lineage picture: everything published is on it, and each line is one of the models'."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ops.site.catalog.contracts import read_contracts
from ops.site.catalog.lineage import Lineage, read_lineage
from tests.helpers import ROOT

if TYPE_CHECKING:
    from tests.site.conftest import Look

REPORTS = ROOT / "dbt_project" / "models" / "reports"


@pytest.fixture(scope="module")
def lineage(manifest: Path) -> Lineage:
    return read_lineage(json.loads(manifest.read_text()))


def tables_of(report: str) -> set[str]:
    """The tables that a report's SQL names, or the models that it reads."""
    text = next(REPORTS.rglob(f"{report}.sql")).read_text()
    found = set(re.findall(r"published\('(\w+)'\)", text))
    found |= set(re.findall(r"ref\('(\w+)_history'\)", text))
    for model in re.findall(r"ref\('(int_\w+)'\)", text):
        found |= tables_of(model)
    return found


def test_every_table_and_every_report_is_on_it_once(manifest: Path, lineage: Lineage) -> None:
    contracts = read_contracts(manifest)

    tables = [name for node in lineage.tables for name in node.lines]
    reports = [name for node in lineage.reports for name in node.lines]

    assert sorted(tables) == sorted(table.name for table in contracts.tables)
    assert sorted(reports) == sorted(report.name for report in contracts.reports)


def test_a_report_comes_from_the_tables_that_its_sql_names(lineage: Lineage) -> None:
    group = {name: node.key for node in lineage.tables for name in node.lines}
    for node in lineage.reports:
        read = {group[table] for report in node.lines for table in tables_of(report)}
        assert set(node.parents) == read, node.title


def test_a_table_comes_from_its_own_endpoint(lineage: Lineage) -> None:
    endpoints = {(path, table) for node in lineage.endpoints for path, table in node.lines.items()}

    assert ("/v2/cursus/{cursus}/users", "users") in endpoints
    assert ("/v2/projects_users", "projects_users") in endpoints
    assert {parent for node in lineage.tables for parent in node.parents} == {
        node.key for node in lineage.endpoints
    }


@pytest.mark.parametrize("width", [1280, 390])
def test_a_node_shows_what_it_is_made_of(look: Look, width: int) -> None:
    page = look("lineage.html", width=width)
    lines = page.locator(".lineage path[d^=M]").count()
    page.locator("#report-project_outcomes a").focus()

    shown = page.locator(".node.on").evaluate_all("all => all.map(node => node.id)")
    assert lines == page.evaluate("JSON.parse(document.getElementById('edges').textContent).length")
    assert {"report-project_outcomes", "mirror-Relations", "api-Relations"} <= set(shown)
    assert "report-coverage" not in shown and "mirror-Attempts" not in shown
    assert 0 < page.locator(".lineage path.on").count() < lines
