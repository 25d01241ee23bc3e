"""`make check`: what it finds on a whole mirror, and on one that somebody damaged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from extract.base.errors import ApiError, CredentialsError, MirrorError
from extract.load.raw import Raw
from extract.load.record import create_schema
from extract.people.erase import erase
from extract.tables import TABLES as DECLARED
from ops.checks import check as checks
from ops.checks.check import run_check
from ops.checks.record import check_reconciliation
from ops.checks.spot import differing_fields
from ops.cli import app
from ops.status.outcomes import last_outcomes, outcome
from tests.conftest import PUBLISHED
from tests.helpers import set_variables
from tests.publication.lab import Lab


def check(
    lab: Lab, capsys: pytest.CaptureFixture[str], **options: Any
) -> tuple[int, dict[str, str]]:
    """Exit status, and status by name, of a check printed as JSON."""
    with closing(lab.connect()) as connection:
        results = run_check(connection, json=True, **options)
    document = json.loads(capsys.readouterr().out)
    status = int(any(result.status == "failed" for result in results))
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
            for column in contract.loaded:
                row[column.field] = row.pop(column.name)
            if resource == "users":
                row.update(changes)
        return rows

    return fetch


def test_a_whole_mirror_passes_every_check(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    status, results = check(lab, capsys, sample=3, fetch=served(lab))

    assert failures(results) == set() and status == 0
    assert {f"keys.{table}" for table in PUBLISHED} <= results.keys()
    assert {f"reconciles.{table}" for table in PUBLISHED} <= results.keys()
    assert {f"row_counts.{table}" for table in PUBLISHED} <= results.keys()
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
    of_users = {f"orphans.{table}.{column}" for table, column in lab.of_users()}
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
        "unique.users.login",
        "reconciles.users",
        "row_counts.users",
        *(of_users - {"orphans.coalitions_users.user_id"}),
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


def test_what_a_build_has_not_made_yet_is_no_missing_table(lab: Lab) -> None:
    lab.run("drop schema staging, intermediate cascade")

    with closing(lab.connect()) as connection:
        [found] = [one for one in check_reconciliation(connection) if one.name.endswith(".users")]

    assert found.status == "skipped" and found.detail.endswith("is not there; run `make build`")
    assert "mirror.users" not in found.detail


def test_an_old_mirror_is_late_and_then_not_fresh(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    def hence(hours: int) -> dict[str, str]:
        return check(lab, capsys, now=datetime.now(UTC) + timedelta(hours=hours))[1]

    assert hence(25)["freshness"] == "ok"
    assert hence(27)["freshness"] == "degraded" and failures(hence(27)) == set()
    assert failures(hence(37)) == {"freshness"}


def test_what_else_needs_attention_fails_a_check_but_is_not_on_record_as_its_failure(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variables(monkeypatch, lab.variables)
    with suppress(MirrorError), outcome("sync full"):
        raise MirrorError("No answer.")

    checked = CliRunner().invoke(app, ["check", "--json"])

    found = {entry["name"]: entry["status"] for entry in json.loads(checked.stdout)["checks"]}
    assert failures(found) == {"verdict.sync_full"} and checked.exit_code == 1
    assert last_outcomes()["check"].status == "ok"

    monkeypatch.setenv("PGDATABASE", "no_such_database")
    assert CliRunner().invoke(app, ["check"]).exit_code == 1
    assert last_outcomes()["check"].status == "failed"


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
    assert failures(check(lab, capsys, max_delete_fraction=1.0)[1]) == set()

    lab.run("update ops.runs set allow_deletes = true")
    assert failures(check(lab, capsys)[1]) == set()


def test_an_empty_database_fails_and_says_what_to_do(
    database: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    empty = Lab(database, tmp_path)

    status, results = check(empty, capsys)

    assert status == 1
    assert {"tables_present", "record", "freshness"} <= failures(results)


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


def test_what_was_edited_between_its_reading_and_a_later_publication_is_pending(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = datetime.now(UTC) - timedelta(hours=2)  # before the publication, after the reading
    _, results = check(
        lab, capsys, fetch=served(lab, first_name="Other", updated_at=edited.isoformat())
    )

    assert results["spot.users"] == "ok"


def test_a_refused_secret_is_one_failure_and_every_other_check_runs(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(resource: str, ids: Sequence[int]) -> list[dict[str, Any]]:
        raise CredentialsError("The API refuses the application's credentials.")

    _, results = check(lab, capsys, fetch=fetch)

    assert failures(results) == {"spot"}
    assert results["keys.users"] == results["reconciles.users"] == "ok"


def test_an_api_that_is_down_is_not_waited_for_table_by_table(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def fetch(resource: str, ids: Sequence[int]) -> list[dict[str, Any]]:
        asked.append(resource)
        raise TimeoutError("no answer")

    _, results = check(lab, capsys, fetch=fetch)

    assert len(asked) == len(failures(results)) == 2
    assert "skipped" in results.values()


def test_a_check_that_hangs_or_breaks_is_named_and_the_others_run(
    lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "LONGEST_WAIT", "200ms")
    lab.run("drop view staging.stg_fortytwo__users cascade; alter table ops.rejections rename to r")
    blocker = lab.connect(autocommit=False)
    blocker.cursor().execute("lock table mirror.projects_users in access exclusive mode")

    _, results = check(lab, capsys)
    blocker.close()

    assert {"keys", "orphans", "row_counts"} <= failures(results)
    assert results["keys.achievements"] == "ok", "what came before the error is kept"
    assert results["tables_present"] == results["unique.users.login"] == "ok"
    assert results["freshness"] == "ok"


def test_without_a_database_the_rest_is_checked(
    database: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATABASE", "no_such_database")

    results = {result.name: result.status for result in run_check(None, json=True)}

    assert results["database"] == "failed" and "verdict.disk" in results


def test_it_is_green_right_after_an_erasure(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    connection = lab.connect()
    create_schema(connection)
    person = lab.value(
        "select user_id from raw.coalitions_users where id in ("
        "select (key ->> 'id')::bigint from ops.rejections where table_name = 'coalitions_users') "
        "and user_id in (select id from mirror.users) order by user_id limit 1"
    )

    erase(connection, [person], "on request", "run-1")
    connection.close()
    _, results = check(lab, capsys)

    assert failures(results) == set()
    assert {f"reconciles.{table}" for table in PUBLISHED} <= results.keys()


def test_what_is_kept_no_longer_goes_on_record_and_is_no_damage(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    old = ("locations", "scale_teams", "scale_teams_users")
    published = [(name, lab.value(f"select count(*) from mirror.{name}")) for name in old]
    with closing(lab.connect()) as connection:
        Raw(connection).delete_old("run-1")

    _, results = check(lab, capsys)
    assert failures(results) == set()
    assert {results[f"reconciles.{name}"] for name in old} == {"skipped"}
    assert published == lab.rows(
        "select table_name, count(distinct key) from ops.changes "
        "where run_id = 'run-1' and action = 'delete' group by 1 order by 1"
    )
    assert {
        name: lab.value(f"select count(*) from mirror.{name}") for name in old
    } == dict.fromkeys(old, 0)

    for name in old:
        lab.run(f"delete from marts.{name}")
    lab.publish()
    results = check(lab, capsys)[1]
    assert not [name for name in failures(results) if name.startswith("row_counts")]


def test_it_checks_what_is_there_and_heeds_the_settings(
    lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variables(monkeypatch, {**lab.variables, "MAX_DELETE_FRACTION": "1"})
    lab.run("create table mirror.one_more (id bigint primary key)")
    lab.publish()
    lab.run(
        "update ops.runs set rows = rows || '{\"projects_users\": 99999}' "
        "where published_at = (select min(published_at) from ops.runs)"
    )

    document = json.loads(CliRunner().invoke(app, ["check", "--json"]).stdout)

    found = {entry["name"]: entry for entry in document["checks"]}
    assert found["tables_present"]["detail"] == f"all {len(PUBLISHED) + 1}"
    assert found["keys.one_more"]["status"] == "ok"
    assert found["row_counts.projects_users"]["status"] == "ok"


def test_what_the_application_may_not_read_any_more_is_not_asked_for_and_fails_nothing(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(resource: str, ids: Sequence[int]) -> list[dict[str, Any]]:
        if resource == "projects_users":
            raise ApiError("answered 403", 403)
        return list(served(lab)(resource, ids))

    lab.run("insert into ops.refusals values ('projects_users', 403, now(), now())")
    status, results = check(lab, capsys, fetch=fetch)

    assert failures(results) == set() and status == 0
    assert "spot.users" in results and "spot.projects_users" not in results


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
        ("anonymize_date", None, "10024-05-27T00:00:00.000+02:00"),
        ("anonymize_date", None, "9999-12-31T23:59:59.999-05:00"),
        ("phone", None, None),
        ("image", {"link": "x", "versions": {}}, {"versions": {}, "link": "x"}),
    ],
)
def test_values_that_mean_the_same_are_the_same(column: str, published: Any, payload: Any) -> None:
    assert list(differing_fields(DECLARED["users"], {column: published}, {column: payload})) == []


@pytest.mark.parametrize("payload", ["a lot", None, [5], 5.5])
def test_a_value_of_another_type_differs_and_stops_no_check(payload: Any) -> None:
    found = differing_fields(DECLARED["users"], {"wallet": 5}, {"wallet": payload})

    assert list(found) == ["wallet"]


def test_people_get_one_line_a_kind_of_check(lab: Lab) -> None:
    connection = lab.connect()
    with (console := Console(width=120, record=True, quiet=False)).capture() as printed:
        results = run_check(connection, console=console)
    connection.close()

    lines = printed.get().splitlines()
    assert all(result.status != "failed" for result in results)
    assert len(lines) < 16
    assert any(line.startswith("orphans") and "no row without its parent" in line for line in lines)
    assert lines[-1].endswith("0 failed, 1 skipped")
