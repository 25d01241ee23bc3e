"""The incidents page: which part failed, from when until when, how much of the time it worked."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from extract.base import database
from ops.site import incidents_page
from ops.site.incidents_page import BUILD, EXTRACTION, FRESHNESS, Incident
from ops.status.status import read_status
from ops.status.verdict import judge
from tests.helpers import sql
from tests.site.conftest import add_run

pytestmark = pytest.mark.usefixtures("ops")


def incidents() -> list[tuple[str, str, int, int | None, int]]:
    """Part, level, hours ago of beginning and end, runs."""
    now = datetime.now(UTC)

    def ago(moment: datetime | None) -> int | None:
        return None if moment is None else round((now - moment) / timedelta(hours=1))

    with database.session("test") as connection:
        found: list[Incident] = incidents_page.read_incidents(connection, now)[1]
    return sorted((i.part, i.level, ago(i.began) or 0, ago(i.ended), i.runs) for i in found)


def test_an_incident_lasts_until_a_run_that_mends_it() -> None:
    add_run("published", 20)
    add_run("failed", 10, message="The API does not answer.")
    add_run("failed", 9)
    add_run("published", 8, mode="live")
    add_run("published", 7)
    add_run("failed", 3, mode="live")

    assert incidents() == [
        (EXTRACTION, "degraded", 3, None, 1),
        (EXTRACTION, "failing", 10, 7, 2),
    ]


def test_what_fails_in_the_build_is_no_fault_of_the_extraction() -> None:
    add_run("published", 20)
    add_run("failed", 12)
    add_run("failed", 10, phase="build and publish")
    add_run("failed", 9, mode="build")
    add_run("unchanged", 5, mode="live")

    assert incidents() == [(BUILD, "failing", 10, 5, 2), (EXTRACTION, "failing", 12, 10, 1)]


def test_a_table_is_degraded_until_it_is_read_again() -> None:
    add_run("published", 20, degraded='{"coalitions_users": "403", "projects_users": "500"}')
    add_run("published", 10)
    add_run("published", 5)
    sql(
        "insert into ops.listings select finished_at, run_id, 'projects_users', '', 1, 1, 1 "
        "from ops.runs where degraded is null order by started_at limit 1"
    )

    assert incidents() == [
        ("Table coalitions_users", "degraded", 20, None, 1),
        ("Table projects_users", "degraded", 20, 10, 1),
    ]
    assert set(read_status().degraded) == {"coalitions_users"}


def test_silence_is_an_incident_too() -> None:
    add_run("published", 100)
    add_run("published", 60)
    add_run("published", 30)

    assert incidents() == [
        (FRESHNESS, "degraded", 4, None, 0),
        (FRESHNESS, "degraded", 34, 30, 0),
        (FRESHNESS, "failing", 74, 60, 0),
    ]


def test_the_page_says_what_happened_and_how_long_it_worked(tmp_path: Path) -> None:
    add_run("published", 100)
    for hours_ago in range(80, 0, -20):
        add_run("published", hours_ago)
    add_run("failed", 30, message="The API said <no>. Try again.")
    status = read_status()

    text = incidents_page.write(status, judge(status), tmp_path).read_text()  # type: ignore[union-attr]

    # 10 of 100 hours: from the failure to the pass of 20 hours ago
    worked = re.findall(r"worked ([\d.]+) % of the time", text)
    assert [round(float(share)) for share in worked] == [90, 100, 100]
    assert (
        "The API said &lt;no&gt;." in text and "Try again" not in text.partition("Incidents</h2")[2]
    )


def test_a_part_that_has_not_run_lately_is_not_said_to_work(tmp_path: Path) -> None:
    add_run("published", 80)
    status = read_status()

    text = incidents_page.write(status, judge(status), tmp_path).read_text()  # type: ignore[union-attr]

    assert re.findall(r'class="pill (\w*)">([^<]+)<', text.partition("Incidents</h2")[0]) == [
        ("", "no run since yesterday"),
        ("", "no run since yesterday"),
        ("bad", "failing now"),
    ]
    assert "No good full pass ended for 80 hours" in text


def test_before_the_first_run_it_says_what_to_do(tmp_path: Path) -> None:
    status = read_status()

    text = incidents_page.write(status, judge(status), tmp_path).read_text()  # type: ignore[union-attr]

    assert "Nothing has run yet" in text and 'class="days"' not in text
