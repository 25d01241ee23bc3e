"""`make doctor` names what stops a sync, and `make uninstall` what it would remove."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from psycopg2.extensions import connection as Connection
from typer.testing import CliRunner

from extract import embedded
from extract.base import database as databases
from extract.base.lock import run_lock
from extract.base.query import execute
from extract.base.settings import local_directory, working_directory
from ops import doctor
from ops.cli import app
from tests.helpers import api, set_variables


def said(name: str) -> tuple[str, str]:
    (finding,) = [finding for finding in doctor.examine() if finding.name == name]
    return finding.level, finding.sentence


def schemas(connection: Connection, *names: str) -> set[str]:
    """Those of these schemas that there are."""
    query = "select nspname from pg_namespace where nspname = any(%s)"
    return {name for (name,) in execute(connection, query, (list(names),))}


def test_where_a_sync_would_succeed_the_exit_status_is_0(ops: Connection) -> None:
    result = CliRunner().invoke(app, ["doctor"])

    assert result.exit_code == 0, result.output
    assert "bundled sandbox" in result.output
    assert "Nothing is in the way of a sync." in result.output


def test_a_database_that_is_not_there_is_a_failure(
    ops: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATABASE", "nowhere")

    result = CliRunner().invoke(app, ["doctor"])

    assert result.exit_code == 1
    assert "FAIL database" in result.output and "A sync would fail." in result.output


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("FORTYTWO_CURSUS_ID", "many", "failing"),
        ("MAX_DELETE_FRACTION", "7", "failing"),
        ("CHANGES_RETENTION_DAYS", "a week", "failing"),
        ("RECONCILE_DAYS", "99999999999", "failing"),
        ("ALLOW_DELETES", "perhaps", "failing"),
        ("STREAMS", "all", "failing"),
        ("FORTYTWO_API_URL", "http://[::1", "failing"),
        ("FORTYTWO_API_URL", "http://127.0.0.1:99999", "failing"),
        ("SCHEDULE_LIVE", "often", "degraded"),
        ("BACKUP_KEEP_DAILY", "all", "degraded"),
        ("BACKUP_AGE_RECIPIENT", "nobody", "degraded"),
        ("WEBHOOK_URL", "hooks.example/secret", "degraded"),
        ("HEARTBEAT_URL", "hooks.example/secret", "degraded"),
        ("WEBHOOK_FORMAT", "teams", "degraded"),
        ("METRICS_FILE", "/nowhere/at/all/mirror.prom", "degraded"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(
    ops: Connection, monkeypatch: pytest.MonkeyPatch, name: str, value: str, level: str
) -> None:
    monkeypatch.setenv(name, value)

    found, sentence = said("settings")

    assert (found, name in sentence, "secret" in sentence) == (level, True, False)


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [("FORTYTWO_CURSUS", "FORTYTWO_CURSUS_ID"), ("PGHSOT", "PGHOST"), ("PGSERVICEFILE", "")],
)
def test_a_misspelt_name_in_the_env_file_is_named_with_what_is_meant(
    ops: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, misspelt: str, meant: str
) -> None:
    (tmp_path / "env").write_text(f"{misspelt}=9\nCOMPOSE_PROJECT_NAME=mirror\n")
    monkeypatch.setenv("FORTYTWO_ENV_FILE", str(tmp_path / "env"))
    monkeypatch.delenv("PGSERVICEFILE", raising=False)

    level, sentence = doctor._settings()

    assert level == ("degraded" if meant else "well")
    assert not meant or (misspelt in sentence and f"Is {meant} meant?" in sentence)


def test_an_object_of_somebody_elses_with_a_name_of_ours_is_a_failure(
    database: dict[str, str],
) -> None:
    with databases.session("test") as connection:
        execute(connection, "create schema raw; create table raw.users (id int)")

    level, sentence = said("database")

    assert (level, "in its way: raw.users (table)" in sentence) == ("failing", True)


def test_credentials_that_are_refused_are_a_failure_and_good_ones_are_not(
    ops: Connection, monkeypatch: pytest.MonkeyPatch, start_sandbox: Callable[..., str]
) -> None:
    set_variables(monkeypatch, api(start_sandbox()))
    level, sentence = said("API")
    assert (level, "lets us in" in sentence) == ("well", True)

    monkeypatch.setenv("FORTYTWO_CLIENT_SECRET", "wrong")
    level, sentence = said("API")
    assert (level, "invalid_client" in sentence) == ("failing", True)


@pytest.mark.parametrize("date", ["", "Fri, 21 Nov 2025 01:00:00 -0000"])
def test_an_answer_without_a_date_or_without_its_zone_says_nothing_of_the_clock(
    ops: Connection, monkeypatch: pytest.MonkeyPatch, start_sandbox: Callable[..., str], date: str
) -> None:
    set_variables(monkeypatch, api(start_sandbox()))
    answered = requests.adapters.HTTPAdapter.build_response

    def dated(*arguments: Any) -> requests.Response:
        response = answered(*arguments)
        response.headers["Date"] = date
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "build_response", dated)

    assert said("API")[0] == "well"


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("BACKUP_DIRECTORY", "{tmp}/file/below", "degraded"),  # a sync does without these
        ("BACKUP_DIRECTORY", "~nobody-of-that-name/backups", "degraded"),
        ("FORTYTWO_SITE", "/proc/nowhere", "degraded"),
        ("XDG_STATE_HOME", "/proc/nowhere", "failing"),  # where root, too, can make nothing
        ("BACKUP_DIRECTORY", "", "well"),
    ],
)
def test_a_folder_that_cannot_be_one_is_a_failure_where_a_sync_needs_it(
    ops: Connection,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    value: str,
    level: str,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(name, value.format(tmp=tmp_path))

    found, sentence = said("folders")

    assert (found, name in sentence) == (level, level != "well")


def test_a_disk_that_is_full_is_a_failure(
    ops: Connection, monkeypatch: pytest.MonkeyPatch, small_disk: Callable[..., Path]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(small_disk(60)))

    level, sentence = said("folders")

    assert (level, "No space left" in sentence) == ("failing", True)


def test_a_package_that_is_not_the_locks_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "requirements.lock").write_text("dlt==0.0.1 \\\n    --hash=sha256:0\n")
    monkeypatch.setattr(doctor, "ROOT", tmp_path)

    level, sentence = doctor._python()

    assert level == "failing" and sentence.startswith("dlt: ")


@pytest.mark.parametrize("name", ["local", "50% local"])
def test_uninstall_lists_first_and_removes_what_the_mirror_made_when_it_is_confirmed(
    ops: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("FORTYTWO_LOCAL", str(tmp_path / name))
    local, dlt = local_directory(), working_directory("dlt")
    ours = [local / "logs", local / "lake", local / "spark", dlt]  # copies are of people, too
    for path in (*ours, local / "backups", local / "mine"):
        path.mkdir(parents=True, exist_ok=True)
    for file in ("alerts.json", "jobs.lock", "postgres.log.1.gz"):  # logs may name people
        ours.append(local / file)
        ours[-1].touch()

    listed = CliRunner().invoke(app, ["uninstall"])

    assert listed.exit_code == 0, listed.output
    assert "Would remove: the schemas ops" in listed.output
    assert schemas(ops, "ops") and (local / "logs").exists()
    done = CliRunner().invoke(app, ["uninstall", "--confirm"])
    assert done.exit_code == 0, done.output
    assert schemas(ops, "ops", "public") == {"public"}
    assert {path.name for path in local.iterdir()} >= {"backups", "mine"}
    assert not any(path.exists() for path in ours)


def test_uninstall_removes_nothing_while_a_run_is_at_work(ops: Connection) -> None:
    (local_directory() / "logs").mkdir(parents=True)

    with run_lock("full", "run"):
        result = CliRunner().invoke(app, ["uninstall", "--confirm"])

    assert result.exit_code == 75 and "Another run holds the lock" in result.output
    assert "Removed" not in result.output and (local_directory() / "logs").exists()


def test_uninstall_takes_no_embedded_server_from_under_a_run() -> None:
    with run_lock("full", "run"):
        refused = CliRunner().invoke(app, ["uninstall", "--confirm"])
        assert refused.exit_code == 75 and embedded.status().running

    assert CliRunner().invoke(app, ["uninstall", "--confirm"]).exit_code == 0
    assert not embedded.status().running and not (local_directory() / "postgres").exists()


def test_uninstall_removes_no_folder_with_backups_in_it(
    ops: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = local_directory() / "state" / "backups"
    folder.mkdir(parents=True)
    (folder / "mirror-20261127T020000Z.dump").touch()
    monkeypatch.setenv("BACKUP_DIRECTORY", str(folder))

    for arguments in (["uninstall"], ["uninstall", "--confirm"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1 and "Nothing was removed" in result.output
    assert list(folder.iterdir()) and schemas(ops, "ops")


@pytest.mark.parametrize(
    "made",
    [
        "create table marts.orders (id int)",
        "create table ops.theirs (id int)",
        "create function ops.theirs() returns int language sql as 'select 1'",
        "create type marts.colour as enum ('red')",
        "create view readers as select * from ops.runs",
    ],
)
def test_uninstall_drops_no_schema_with_something_of_others_in_it_or_upon_it(
    ops: Connection, made: str
) -> None:
    execute(ops, f"create schema marts; {made}")

    result = CliRunner().invoke(app, ["uninstall", "--confirm"])

    name = made.split()[2].removesuffix("()")
    assert result.exit_code == 1
    assert f"{name}" in result.output and "Nothing was removed" in result.output
    assert schemas(ops, "marts", "ops") == {"marts", "ops"}
