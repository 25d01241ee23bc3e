"""The dictionary in a browser: found, joined, copied, and as fresh as the last job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ops.site import status_page
from ops.site.catalog.contracts import read_contracts
from ops.site.catalog.dictionary import PAGE, write_dictionary_page
from ops.site.catalog.joins import MOST, joins
from ops.status.status import read_status
from ops.status.verdict import judge
from tests.helpers import sql
from tests.site.conftest import add_run

if TYPE_CHECKING:
    from tests.site.conftest import Look


@pytest.mark.usefixtures("database")
def test_every_join_of_every_table_runs(manifest: Path) -> None:
    contracts = read_contracts(manifest)
    sql("create schema mirror")
    for table in contracts.tables:
        columns = ", ".join(f"{c.name} {c.data_type}" for c in table.columns)
        sql(f"create table mirror.{table.name} ({columns})")
    for table in contracts.tables:
        found = joins(contracts, table, {})
        assert 1 <= len(found) <= MOST, table.name
        for _, statement in found:
            assert " join " in statement and f"mirror.{table.name}" in statement
            sql(statement)


def test_a_search_by_keyboard_leaves_what_has_all_words(look: Look) -> None:
    page = look(PAGE)

    page.keyboard.press("/")
    page.keyboard.type("projects_users final_mark")

    shown = page.locator(".entry:visible").evaluate_all("all => all.map(entry => entry.id)")
    rows = page.locator("#projects_users .columns tbody tr:visible th").all_inner_texts()
    assert "projects_users" in shown and "campuses" not in shown
    assert rows == ["final_mark"]
    assert page.locator("#found").inner_text().endswith("tables")
    page.locator("#search").fill("nothing-has-this")
    assert page.locator("#none").is_visible()


def test_a_join_is_copied(look: Look) -> None:
    page = look(PAGE)
    page.context.grant_permissions(["clipboard-read"])
    page.locator("#projects_users summary").last.click()

    page.locator("#projects_users [data-copy]").first.click()

    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == page.locator("#projects_users pre").first.text_content()
    assert "inner join mirror.users" in copied


def test_a_phone_opens_the_table_that_a_link_names(look: Look) -> None:
    page = look(f"{PAGE}#users", width=390)

    assert page.locator("#users .columns").is_visible()
    assert not page.locator("#campuses .columns").is_visible()


@pytest.mark.usefixtures("ops")
def test_each_job_renews_how_fresh_a_table_is(manifest: Path, tmp_path: Path) -> None:
    status = read_status()
    write_dictionary_page(tmp_path, read_contracts(manifest), status)
    assert "Not published yet." in (tmp_path / PAGE).read_text()

    add_run("published", 1, rows='{"users": 12345}')
    status = read_status()
    status_page.write(status, judge(status), tmp_path)

    text = (tmp_path / PAGE).read_text()
    assert "12,345 rows" in text and "As of the publication" in text
    assert text.count("Not published yet.") == len(read_contracts(manifest).tables) - 1
