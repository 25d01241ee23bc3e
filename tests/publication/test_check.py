"""`make check`: what it finds on a whole mirror, and on one that somebody damaged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from extract.tables import TABLES as DECLARED
from ops.checks.check import run_check
from ops.checks.spot import differing_fields
from tests.publication.lab import TABLES, Lab


def check(
    lab: Lab, capsys: pytest.CaptureFixture[str], **options: Any
) -> tuple[int, dict[str, str]]:
    """Exit status, and status by name, of a check printed as JSON."""
    connection = lab.connect()
    status = run_check(connection, json=True, **options)
    connection.close()
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] == (status == 0)
    return status, {entry["name"]: entry["status"] for entry in document["checks"]}


def failures(results: dict[str, str]) -> set[str]:
    return {name for name, status in results.items() if status == "failed"}


def served(lab: Lab, **changes: Any) -> Any:
    """An API that says what raw says, but for some fields of users."""

    def fetch(resource: str, ids: Sequence[int]) -> list[dict[str, Any]]:
        found = lab.rows(
            f"select to_jsonb(t) from raw.{resource} as t "
            f"where id = any(array{list(ids)}::bigint[])"
        )
        rows = [row for (row,) in found]
        for row in rows:
            contract = DECLARED[resource]
            for column in contract.columns:
                row[column.field] = row.pop(column.name)
            if resource == "users":
                row.update(changes)
        return rows

    return fetch


def test_a_whole_mirror_passes_every_check(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    status, results = check(lab, capsys, sample=3, fetch=served(lab))

    assert failures(results) == set() and status == 0
    assert {f"keys.{table}" for table in TABLES} <= results.keys()
    assert {f"reconciles.{table}" for table in TABLES} <= results.keys()
    assert {f"row_counts.{table}" for table in TABLES} <= results.keys()
    assert results.keys() >= {
        "tables_present",
        "foreign_keys_present",
        "orphans.projects_users.user_id",
        "unique.users.login",
        "unique.users.email",
        "freshness",
        "spot.users",
    }
    assert set(results.values()) == {"ok"}


def test_damage_is_named(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.run("""
        alter table mirror.users disable trigger all;
        delete from mirror.users where id = 2;
        alter table mirror.users drop constraint users_login_key;
        update mirror.users set login = 'login3' where id = 1;
        alter table mirror.campus_projects drop constraint campus_projects_pkey;
        drop view reports.coalition_standings;
        drop table mirror.coalitions_users;
    """)

    status, results = check(lab, capsys)

    assert status == 1
    assert failures(results) == {
        "tables_present",
        "keys.campus_projects",
        "orphans.cursus_users.user_id",
        "orphans.projects_users.user_id",
        "orphans.achievements_users.user_id",
        "unique.users.login",
        "reconciles.users",
        "row_counts.users",
    }
    assert results["spot"] == "skipped"


def test_raw_that_was_not_published_yet_is_noticed_unless_a_run_is_at_work(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.run("delete from raw.users where id = 2")
    _, results = check(lab, capsys)
    run = lab.connect()
    run.cursor().execute("select pg_advisory_lock(42, 21)")
    _, meanwhile = check(lab, capsys)
    run.close()

    assert failures(results) == {"reconciles.users"}
    assert failures(meanwhile) == set() and meanwhile["reconciles.users"] == "skipped"


def test_an_old_mirror_is_not_fresh(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    tomorrow = datetime.now(UTC) + timedelta(hours=25)

    assert failures(check(lab, capsys, now=tomorrow)[1]) == {"freshness"}
    assert failures(check(lab, capsys, now=tomorrow, freshness_hours=48)[1]) == set()


def test_a_table_that_shrank_since_the_publication_before_is_noticed(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    shrunk = """
        update ops.runs set rows = rows || '{"projects_users": 99999}'
        where published_at = (select min(published_at) from ops.runs)
    """
    lab.publish()
    lab.run(shrunk)
    assert failures(check(lab, capsys)[1]) == {"row_counts.projects_users"}

    lab.run("update ops.runs set allow_deletes = true")
    assert failures(check(lab, capsys)[1]) == set()


def test_an_empty_database_fails_and_says_what_to_do(
    database: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    empty = Lab(database, tmp_path)

    status, results = check(empty, capsys)

    assert status == 1
    assert {"tables_present", "record"} <= failures(results)


def test_what_the_api_says_otherwise_is_named(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    _, results = check(lab, capsys, fetch=served(lab, first_name="Other"))

    assert failures(results) == {"spot.users"}


def test_what_moved_on_since_the_publication_is_no_error(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    later = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    _, moved = check(lab, capsys, fetch=served(lab, location="c1r1", wallet=3))
    _, changed = check(lab, capsys, fetch=served(lab, first_name="Other", updated_at=later))

    assert failures(moved) == failures(changed) == set()


def test_an_api_that_fails_fails_its_check_only(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(resource: str, ids: Sequence[int]) -> list[dict[str, Any]]:
        if resource == "users":
            raise TimeoutError("no answer")
        return list(served(lab)(resource, ids))

    assert failures(check(lab, capsys, fetch=fetch)[1]) == {"spot.users"}


@pytest.mark.parametrize(
    ("column", "published", "payload"),
    [
        (
            "created_at",
            datetime(2024, 5, 27, 9, 14, 2, 117000, UTC),
            "2024-05-27T11:14:02.117+02:00",
        ),
        ("wallet", 5, 5),
        ("phone", None, None),
        ("image", {"link": "x", "versions": {}}, {"versions": {}, "link": "x"}),
    ],
)
def test_values_that_mean_the_same_are_the_same(column: str, published: Any, payload: Any) -> None:
    assert list(differing_fields(DECLARED["users"], {column: published}, {column: payload})) == []


def test_people_get_one_line_a_kind_of_check(lab: Lab) -> None:
    connection = lab.connect()
    with (console := Console(width=120, record=True, quiet=False)).capture() as printed:
        status = run_check(connection, console=console)
    connection.close()

    lines = printed.get().splitlines()
    assert status == 0
    assert len(lines) < 14
    assert any(line.startswith("orphans") and "no row without its parent" in line for line in lines)
    assert lines[-1].endswith("0 failed, 1 skipped")
