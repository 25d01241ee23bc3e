"""The status page as text: what it says of good and bad days, and what it never does."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from extract.base import database
from ops.site import status_page, vega
from ops.site.catalog.contracts import RULE
from ops.site.history import read_history
from tests.site.conftest import SCHEMA, fill


@pytest.fixture
def ops(database: dict[str, str]) -> dict[str, str]:
    fill(database, *SCHEMA)
    return database


@pytest.fixture(autouse=True)
def no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vega, "bundle", lambda: "")


def connect() -> Connection:
    return database.connect("test", autocommit=True)


def page(tmp_path: Path) -> str:
    connection = connect()
    try:
        return status_page.write(connection, tmp_path).read_text()
    finally:
        connection.close()


def add_run(status: str, hours_ago: float, **columns: object) -> None:
    ended = datetime.now(UTC) - timedelta(hours=hours_ago)
    values = {
        "run_id": f"{hours_ago}",
        "mode": "full",
        "status": status,
        "started_at": ended,
        "finished_at": ended,
        "published_at": ended if status == "published" else None,
        **columns,
    }
    connection = connect()
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into ops.runs ({', '.join(values)}) "
            f"values ({', '.join(['%s'] * len(values))})",
            list(values.values()),
        )
    connection.close()


@pytest.mark.usefixtures("database")
def test_a_database_without_the_schema_has_a_page_too(tmp_path: Path) -> None:
    assert "Nothing is published yet" in page(tmp_path)


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

    assert "The last full run failed; mirror is as it was before" in text
    assert "dbt build failed: &lt;nothing&gt; was published." in text


@pytest.mark.usefixtures("ops")
def test_silence_is_overdue(tmp_path: Path) -> None:
    add_run("published", 30, rows="{}")

    assert "Overdue: no successful run lately" in page(tmp_path)


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
    connection = connect()

    changes = read_history(connection).changes

    connection.close()
    assert [(row["inserted"], row["updated"], row["deleted"]) for row in changes] == [(3, 1, 2)]


@pytest.mark.usefixtures("ops")
def test_the_page_never_fails_a_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "a file, no directory"
    file.touch()
    monkeypatch.setenv("FORTYTWO_SITE", str(file))
    connection = connect()

    with status_page.after_run(connection):
        pass
    monkeypatch.delenv("FORTYTWO_SITE")
    connection.close()
    with status_page.after_run(connection):  # the server went away
        pass


@pytest.mark.usefixtures("ops")
def test_the_page_keeps_the_runs_own_failure(tmp_path: Path) -> None:
    connection = connect()

    with pytest.raises(psycopg2.DataError), status_page.after_run(connection):
        raise psycopg2.DataError

    connection.close()
    assert (Path(tmp_path) / "local" / "site" / "status.html").exists()


@pytest.mark.parametrize(
    ("text", "number", "names"),
    [
        ("Rule 8: enrolments. Rules, in order: a_b, c_d.", "8", "a_b, c_d"),
        ("Rule 9: the anchor. Rule: cursus_not_anchor.", "9", "cursus_not_anchor"),
        ("Rule 11, nothing is dropped silently: every row.", "11", None),
    ],
)
def test_rules_are_read_from_descriptions(text: str, number: str, names: str | None) -> None:
    match = RULE.match(text)

    assert match and (match[1], match[3]) == (number, names)
