"""The status page as text: what it says of good and bad days, and what it never does."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from extract.base import database
from extract.tables import READS
from ops.site import status_page
from ops.site.catalog.contracts import RULE
from ops.site.charts import vega
from ops.site.history import read_history
from ops.status.outcomes import outcome
from ops.status.status import read_status
from ops.status.verdict import judge
from tests.helpers import sql
from tests.site.conftest import add_run


@pytest.fixture(autouse=True)
def no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vega, "bundle", lambda: "")


def page(tmp_path: Path) -> str:
    status = read_status()
    return status_page.write(status, judge(status), tmp_path).read_text()


@pytest.mark.usefixtures("database")
def test_a_database_without_the_schema_has_a_page_too(tmp_path: Path) -> None:
    assert "Nothing is published yet" in page(tmp_path)


@pytest.mark.usefixtures("ops")
def test_what_a_database_that_does_not_answer_knows_is_not_said_to_be_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_run("published", 1, rows='{"users": 12345}')
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", "1")

    text = page(tmp_path)

    assert 'class="banner bad"' in text and "did not answer" in text
    assert re.findall(r'<th scope="row">([^<]+)</th>', text)[:2] == ["backup", "restore drill"]
    for untrue in ("never", "Nothing is published", "No run yet", "not used yet", "No changes"):
        assert untrue not in text


@pytest.mark.usefixtures("ops")
def test_a_run_that_was_killed_is_not_said_to_be_running(tmp_path: Path) -> None:
    add_run("running", 1, finished_at=None)

    text = page(tmp_path)

    assert "killed" in text and "running" not in re.sub(
        r"<(script|style).*?</\1>", "", text, flags=re.S
    )


@pytest.mark.usefixtures("ops")
def test_what_is_read_by_students_by_events_and_by_days_is_on_it(tmp_path: Path) -> None:
    for reads, parent in READS.items():
        sql(
            f"insert into ops.{reads} (resource, {parent}, read_at, checked_at) "
            f"values ('by_{parent}', 1, now(), now())"
        )

    text = page(tmp_path)

    assert [parent for parent in READS.values() if f"<code>by_{parent}</code>" not in text] == []


@pytest.mark.usefixtures("ops")
def test_a_web_server_may_read_what_cron_has_written(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        page(tmp_path / "site")
    finally:
        os.umask(before)

    assert (tmp_path / "site").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "site" / "status.html").stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("ops")
def test_a_good_day_is_said_to_be_one(tmp_path: Path) -> None:
    add_run("published", 2, rows='{"users": 12345, "campuses": 54}', rejected='{"user_alumni": 77}')

    text = page(tmp_path)

    assert "All is well" in text and "12,345" in text and "user_alumni" in text


@pytest.mark.usefixtures("ops")
def test_a_failed_run_is_at_the_top_with_its_reason(tmp_path: Path) -> None:
    add_run("published", 5, rows="{}")
    add_run("failed", 1, message="dbt build failed: <nothing> was published.")

    text = page(tmp_path)

    assert 'class="banner bad"' in text and "sync full fails since" in text
    assert "dbt build failed: &lt;nothing&gt; was published." in text


@pytest.mark.usefixtures("ops")
def test_silence_is_overdue(tmp_path: Path) -> None:
    add_run("published", 30, rows="{}")

    text = page(tmp_path)

    assert 'class="banner warn"' in text
    assert "The last good full pass ended 30 hours ago: <code>make sync</code>" in text


@pytest.mark.usefixtures("ops")
def test_it_says_how_old_it_is_and_when_it_will_be_late(tmp_path: Path) -> None:
    add_run("published", 1, rows="{}")

    text = page(tmp_path)

    assert re.search(r'As judged <time datetime="[^"]+">\d{4}-\d\d-\d\d \d\d:\d\d UTC</time>', text)
    late, overdue = (
        datetime.fromisoformat(re.search(f'data-{name}-at="([^"]+)"', text)[1])  # type: ignore[index]
        for name in ("degraded", "failing")
    )
    assert datetime.now(UTC) < late < overdue


@pytest.mark.usefixtures("ops")
def test_backup_drill_check_schedule_and_disk_are_on_it(tmp_path: Path) -> None:
    add_run("published", 1, rows="{}")
    with outcome("restore-drill"):
        pass

    text = page(tmp_path)

    for name in ("backup", "restore drill", "check", "schedule", "disk", "credentials"):
        assert f'<th scope="row">{name}</th>' in text
    assert "<td>ok, 20" in text


@pytest.mark.usefixtures("ops")
def test_the_first_fill_of_a_table_is_no_change() -> None:
    add_run(
        "published",
        30,
        rows='{"users": 100}',
        changes='{"users": {"inserted": 100, "updated": 0, "deleted": 0}}',
    )
    add_run(
        "published",
        2,
        rows='{"users": 101}',
        changes='{"users": {"inserted": 3, "updated": 1, "deleted": 2}}',
    )

    with database.session("test") as connection:
        changes = read_history(connection).changes

    assert [(row["inserted"], row["updated"], row["deleted"]) for row in changes] == [(3, 1, 2)]


@pytest.mark.parametrize(
    ("text", "number", "names"),
    [
        ("Rule 8: enrolments. Rules, in order: a_b, c_d.", "8", "a_b, c_d"),
        ("Rule 9: the anchor. Rule: cursus_not_anchor.", "9", "cursus_not_anchor"),
        ("Rule 11: nothing is dropped silently.", "11", None),
    ],
)
def test_rules_are_read_from_descriptions(text: str, number: str, names: str | None) -> None:
    match = RULE.match(text)

    assert match and (match[1], match[3]) == (number, names)
