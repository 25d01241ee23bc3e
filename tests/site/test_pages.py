"""The site in a real browser: complete, silent, readable, usable by keyboard."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from ops.cli import app
from ops.site.charts import vega
from ops.site.incidents_page import DAYS
from ops.site.pages import PAGES
from tests.helpers import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.site.conftest import Look

OURS = tuple(PAGES)
WIDTHS = {"desktop": 1280, "phone": 390}


def test_the_names_of_a_rule_stand_beside_its_sentence(look: Look) -> None:
    sentences = look("index.html").locator(".rules p").all_text_contents()
    assert len(sentences) > 10
    assert [text for text in sentences if "Rule:" in text or "Rules, in order" in text] == []


@pytest.mark.parametrize(("name", "width"), list(product(OURS, WIDTHS)))
def test_a_page_fits_its_window(look: Look, name: str, width: str) -> None:
    page = look(name, width=WIDTHS[width])

    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width]
    assert page.locator("h1").count() == 1


def test_every_page_can_be_chosen_at_every_width(look: Look) -> None:
    page = look("index.html")

    for width in (390, 560, 640, 760, 900, 1280):  # 640: a window of 1280 at 200 %
        page.set_viewport_size({"width": width, "height": 900})
        ends = page.locator("header nav a").evaluate_all(
            "links => links.map(link => link.getBoundingClientRect().right)"
        )
        assert len(ends) > len(OURS) / 2 and max(ends) <= width


def violations(page: Page, **options: Any) -> list[dict[str, Any]]:
    """What WCAG 2.1, level AA, has against a page."""
    from axe_playwright_python.sync_playwright import Axe

    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    found: list[dict[str, Any]] = Axe().run(page, options=rules, **options).response["violations"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("name", "scheme"), list(product(OURS, ("light", "dark"))))
def test_a_page_is_accessible_in_both_themes(look: Look, name: str, scheme: str) -> None:
    page = look(name, scheme=scheme)

    found = violations(page, context={"exclude": [[".chart svg"], [".spark svg"]]})

    assert [(v["id"], [node["html"][:120] for node in v["nodes"][:3]]) for v in found] == []


def test_a_phone_names_the_column_of_every_cell(look: Look) -> None:
    page = look("status.html", width=390)

    named = page.locator("[aria-label='Recent runs'] tbody tr").first.evaluate(
        "row => [...row.cells].filter(cell => cell.checkVisibility())"
        ".map(cell => getComputedStyle(cell, '::before').content)"
    )

    assert {"none", '""', '": "'}.isdisjoint(named) and len(named) > 4


def test_a_dark_page_is_dark(look: Look) -> None:
    def brightness(scheme: str) -> int:
        page = look("status.html", scheme=scheme)
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in re.findall(r"\d+", color))

    assert brightness("dark") < 150 < 600 < brightness("light")


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_every_chart_has_marks(look: Look, width: str) -> None:
    page = look("status.html", width=WIDTHS[width])
    charts = page.evaluate("Object.keys(JSON.parse(document.getElementById('charts').textContent))")

    marks = {
        chart: page.locator(f"#{chart} svg .mark-{kind} path").count()
        for chart in charts
        for kind in ["line" if chart.startswith("rows-") else "rect"]
    }

    assert {
        *("changes", "calls", "rejected", "phases-full", "phases-live"),
        *("rows-users", "rows-campus_projects"),
    } < set(charts)
    assert {chart: count for chart, count in marks.items() if not count} == {}
    assert marks["rejected"] == 14
    assert marks["changes"] >= 60


@pytest.mark.slow
def test_charts_follow_the_theme_when_it_changes(look: Look) -> None:
    page = look("status.html")
    fill = "document.querySelector('#rejected .mark-rect path').getAttribute('fill')"
    light = page.evaluate(fill)

    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("html[data-drawn=dark]", state="attached")

    assert page.evaluate(fill) != light


def test_every_part_has_a_bar_for_each_day_and_words_for_it(look: Look) -> None:
    page = look("incidents.html")

    for part in page.locator(".part").all():
        days = part.locator(".days i").evaluate_all("all => all.map(day => day.title)")
        assert len(days) == DAYS
        assert [day for day in days if not re.match(r"\d{4}-\d\d-\d\d: \w+", day)] == []
    assert page.locator(".incidents li").count() == 1


@pytest.mark.parametrize("name", ["status.html", "index.html"])
def test_an_old_page_turns_amber_and_then_red_by_itself(look: Look, name: str) -> None:
    page = look(name)
    assert page.locator(".banner.good").count() == 1
    late, overdue = (
        datetime.fromisoformat(str(page.locator(".banner").get_attribute(f"data-{level}-at")))
        for level in ("degraded", "failing")
    )

    for moment, level in ((late, "warn"), (overdue, "bad")):
        page.clock.set_fixed_time(moment + timedelta(minutes=1))
        page.reload()

        assert page.locator(f".banner.{level}").inner_text().startswith("Overdue")


def test_without_script_a_page_says_when_it_was_judged(browser: Browser, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())

    text = page.locator(".banner").inner_text()
    context.close()

    assert re.search(r"As judged \d{4}-\d\d-\d\d \d\d:\d\d UTC", text)


@pytest.mark.slow
@pytest.mark.parametrize("name", OURS)
def test_everything_can_be_reached_by_keyboard(look: Look, name: str) -> None:
    page = look(name)
    stops = page.evaluate(
        "[...document.querySelectorAll("
        "'a[href], summary, select, input, button, [tabindex=\"0\"]')]"
        ".filter(element => element.checkVisibility())"
        ".map((element, index) => element.dataset.stop = index).length"
    )
    expected = min(stops, 60)

    reached = []
    for _ in range(expected):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("Number(document.activeElement.dataset.stop)"))

    assert reached == list(range(expected))
    assert page.locator("[data-stop='0']").inner_text() == "Skip to the content"


def test_every_line_of_the_diagram_is_whole(look: Look) -> None:
    outside = look("index.html").evaluate(
        """() => {
            const view = document.querySelector('svg.erd').viewBox.baseVal;
            return [...document.querySelectorAll('svg.erd .edge')].filter(edge => {
                const line = edge.getBBox();
                return line.x < view.x || line.x + line.width > view.x + view.width;
            }).map(edge => edge.textContent.trim());
        }"""
    )

    assert outside == []


def test_the_diagram_shows_every_table_and_every_foreign_key(look: Look) -> None:
    page = look("index.html")

    boxes = page.locator(".erd .entity .name").all_inner_texts()
    edges = page.locator(".erd .edge").count()

    marts = ROOT / "dbt_project/models/marts"
    declared = sum(file.read_text().count("- relationships:") for file in marts.glob("*.yml"))
    assert len(boxes) == len(list(marts.glob("*.sql")))
    assert edges == declared


def test_links_between_the_pages_lead_somewhere(look: Look, site: Path) -> None:
    broken = []
    for file in site.glob("*.html"):
        if file.name == "dbt-docs.html":
            continue
        text = re.sub(r"<script.*?</script>", "", file.read_text(), flags=re.DOTALL)
        for target, fragment in re.findall(r'(?:href|src)="([^":#]*)(?:#([^"]*))?"', text):
            other = site / target if target else file
            if not other.is_file():
                broken.append(f"{file.name}: {target}")
            elif fragment and f'id="{fragment}"' not in other.read_text():
                broken.append(f"{file.name}: {target}#{fragment}")
    assert broken == []


def test_an_installation_that_cannot_be_written_to_makes_the_charts_script_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = vega.bundle()
    assert list((ROOT / ".venv").glob("vega-*.js"))
    monkeypatch.setattr(vega, "ROOT", tmp_path)

    assert vega.bundle() == kept
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_dbts_own_graph_renders(look: Look) -> None:
    page = look("dbt-docs.html#!/model/model.fortytwo_mirror.users?g_v=1")
    page.wait_for_selector("canvas[data-id='layer2-node']")
    page.wait_for_timeout(1500)

    painted = page.evaluate(
        "(() => { const c = document.querySelector(\"canvas[data-id='layer2-node']\");"
        " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })()"
    )

    assert painted > 5000


@pytest.mark.slow
@pytest.mark.parametrize(
    "view", ["overview", "model/model.fortytwo_mirror.users", "overview?g_v=1"]
)
def test_dbts_own_page_is_accessible(look: Look, view: str) -> None:
    page = look(f"dbt-docs.html#!/{view}")
    page.wait_for_selector("[ng-click][tabindex='0']", state="attached")
    page.wait_for_timeout(1500)

    assert [violation["id"] for violation in violations(page)] == []


@pytest.mark.slow
def test_dbts_own_tree_opens_by_keyboard(look: Look) -> None:
    page = look("dbt-docs.html")
    page.get_by_role("button", name="fortytwo_mirror").focus()

    page.keyboard.press("Enter")

    page.get_by_role("button", name="dbt_project").wait_for(timeout=5000)


def test_a_port_that_does_not_exist_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.site.docs.build", lambda: "site/index.html")
    monkeypatch.setattr("ops.site.docs.serve", lambda port: None)

    assert [CliRunner().invoke(app, ["docs", "--serve", port]).exit_code for port in "01"] == [2, 0]
    assert CliRunner().invoke(app, ["docs", "--serve", "65536"]).exit_code == 2
