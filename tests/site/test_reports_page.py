"""The reports page in a browser: a campus, a sorted table, a file, and no person on it."""

from __future__ import annotations

import csv
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ops.site.pages import PAGES
from ops.site.reports_page import REPORTS
from tests.helpers import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.site.conftest import Look


@pytest.fixture
def page(look: Look) -> Page:
    return look("reports.html")


def drawn(page: Page, report: str) -> int:
    return page.locator(f"#chart-{report} .mark-rect path").count()


def shown(page: Page, report: str) -> bool:
    return page.locator(f"#{report} table").is_visible()


def test_every_report_is_on_the_page_with_table_and_sql_and_most_with_a_chart(page: Page) -> None:
    views = ROOT / "dbt_project" / "models" / "reports"

    assert set(REPORTS) == {
        view.stem
        for view in views.rglob("*.sql")
        if view.parent.name != "history" and not view.stem.startswith("int_")
    }
    for name, report in REPORTS.items():
        assert drawn(page, name) >= 3 if "chart" in report else shown(page, name), name
        assert page.locator(f"#{name} tbody tr").count() >= 3, name
        assert f"from reports.{name}" in page.locator(f"#{name} pre").text_content()  # type: ignore[operator]


def test_dbt_knows_which_reports_the_page_reads(manifest: Path) -> None:
    exposures = json.loads(manifest.read_text())["exposures"]
    read = exposures["exposure.fortytwo_mirror.reports_page"]["depends_on"]["nodes"]
    assert {node.rpartition(".")[2] for node in read} == set(REPORTS)


def test_the_page_links_to_every_other_page(page: Page) -> None:
    links = page.locator("header.bar nav a").evaluate_all("all => all.map(a => a.href)")

    assert {link.rpartition("/")[2] for link in links} == set(PAGES)


def test_a_campus_filters_charts_and_tables(page: Page) -> None:
    level = page.locator("#students_by_level tbody tr").first
    assert level.text_content() == f"0{54 * 900 + sum(range(1, 55)):,}{54 * 800:,}"

    page.locator("#campus").select_option("Campus 7")

    page.wait_for_function(
        "document.querySelectorAll('#coalition_standings tbody tr').length === 4"
    )
    assert level.text_content() == "0907800"
    assert page.locator("#coalition_standings tbody tr").count() == 4
    assert drawn(page, "coalition_standings") == 4


def test_a_campus_that_is_not_read_yet_has_no_figures_and_says_so(page: Page) -> None:
    page.locator("#campus").select_option("Campus 54")

    for report in ("project_outcomes", "activity_by_hour"):
        page.locator(f"#{report} [data-empty]").wait_for(state="visible")
        assert page.locator(f"#chart-{report}").is_hidden()
    section = page.locator("#project_outcomes").inner_text()
    assert "7 of 700 students read (1%)" in section and "No figures" in section
    assert page.locator("#chart-students_by_level").is_visible()
    assert "this stands on is off" in page.locator("#upcoming_agenda").inner_text()


def test_a_report_whose_stream_is_off_says_so_above_what_was_read_before(page: Page) -> None:
    for report in ("cluster_occupancy", "upcoming_agenda"):
        section = page.locator(f"#{report}").inner_text()
        assert "this stands on is off" in section and "read before is shown" in section
    assert drawn(page, "cluster_occupancy") == 12
    assert page.locator("#students_by_level [data-empty]").is_hidden()


def test_what_is_on_is_listed_whether_or_not_its_sign_ups_are_read(page: Page) -> None:
    rows = page.locator("#upcoming_agenda tbody tr").all_inner_texts()

    assert shown(page, "upcoming_agenda")
    assert len(rows) == 12 and sum(row.endswith("–") for row in rows) == 2
    assert len(page.locator("#upcoming_agenda tbody time").all()) == 24


def test_weeks_stand_apart_below_their_columns(look: Look) -> None:
    page = look("reports.html", width=375)
    labels = page.locator("#chart-evaluations_by_week .role-axis-label text")
    boxes = labels.evaluate_all(
        "all => all.filter(one => Number(getComputedStyle(one).opacity) > 0)"
        ".map(one => [one.getBoundingClientRect().left, one.getBoundingClientRect().right])"
    )
    weeks = sorted(box for box in boxes if box[1] - box[0] > 40)  # the others count evaluations

    assert len(weeks) >= 2
    assert all(left[1] + 5 <= right[0] for left, right in pairwise(weeks))


def test_days_to_a_milestone_are_of_those_whose_days_are_known(page: Page) -> None:
    cells = page.locator("#milestones_by_month tbody tr").first.locator("td").all_text_contents()

    assert cells == ["Common Core Rank 01", f"{19 * 12 * 54:,}", "90.5"]


def test_a_table_sorts_by_any_column_by_keyboard(page: Page) -> None:
    page.locator("#project_outcomes summary").first.click()
    cells = "#project_outcomes tbody tr td:nth-child(2)"

    page.get_by_role("button", name="marked", exact=True).first.focus()
    page.keyboard.press("Enter")
    down = page.locator(cells).all_inner_texts()
    page.keyboard.press("Enter")
    up = page.locator(cells).all_inner_texts()

    assert page.locator("#project_outcomes th[aria-sort=ascending]").inner_text() == "marked"
    numbers = [int(cell.replace(",", "")) for cell in up]
    assert numbers == sorted(numbers) and down == up[::-1] and numbers[0] < numbers[-1]


def test_the_file_has_what_the_table_has_and_no_formula(page: Page, tmp_path: Path) -> None:
    page.locator("#campus").select_option("Campus 7")
    page.wait_for_function(
        "document.querySelectorAll('#coalition_standings tbody tr').length === 4"
    )
    page.locator("#coalition_standings summary").first.click()

    with page.expect_download() as download:
        page.locator("#coalition_standings [data-csv]").click()
    download.value.save_as(tmp_path / "file.csv")

    rows = list(csv.reader((tmp_path / "file.csv").open(newline="")))
    assert download.value.suggested_filename == "coalition_standings-campus-7.csv"
    assert rows[0] == ["coalition", "campus", "place", "score", "members", "members_average"]
    assert rows[1] == ['\'=Formula, "quoted"', "Campus 7", "1", "99993", "150", "12.5"]
    assert len(rows) == 5


def test_the_page_is_small_and_names_nobody(site: Path) -> None:
    text = (site / "reports.html").read_text()
    data: dict[str, Any] = json.loads(
        re.findall(r'<script type="application/json" id="reports">(.*?)</script>', text, re.S)[0]
    )

    assert len(text.encode()) < 3_000_000
    assert len(data["tables"]["project_outcomes"]["rows"]) == 53 * 388 + 388
    assert "login1" not in text and "Somebody" not in text
