"""Whole extractions through the command line, against the sandbox and a real database."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection
from typer.testing import Result

from extract.base.lock import run_lock
from extract.load.destination import PostponedMergeJob
from extract.load.record import create_schema
from extract.passes.plan import MOST_PROBES, make_plan
from extract.tables import TABLES
from tests.extract.commands import (
    ask,
    calls,
    control,
    count,
    forget_calls,
    refuse_updates,
    run,
    runs,
)
from tests.faults.truth import contents
from tests.helpers import set_variables

RAW = list(TABLES)


def test_a_first_extraction_makes_every_raw_table_and_says_what_it_did(
    world: str, connection: Connection
) -> None:
    result = run("run")
    assert result.exit_code == 0, result.output
    assert "raw is loaded" in result.output
    assert "Next: `bin/dbt build`" in result.output
    assert {table for table in RAW if count(connection, table) >= 0} == set(RAW)
    assert count(connection, "users") == 312
    assert runs(connection) == [("full", "loaded")]
    recorded = ask(connection, "select count(*), min(error), max(status) from ops.api_calls")
    assert recorded == [(27, "", 200)]
    listed = "select sum(calls), sum(rows) filter (where resource = 'users') from ops.listings"
    assert ask(connection, listed) == [(27, 312)]
    assert ask(connection, "select count(*) from ops.delete_scope") == [(0,)]


def test_an_extraction_with_nothing_new_writes_nothing(
    read_world: str, connection: Connection
) -> None:
    loads = "select distinct _dlt_load_id from raw.users"
    before = ask(connection, loads)
    run("run")
    run("run", "--mode", "live")
    assert ask(connection, loads) == before


def test_nothing_is_left_in_the_folder_that_all_dlt_projects_of_a_user_share(
    world: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    monkeypatch.setattr("dlt.common.runtime.run_context.global_dir", lambda: str(shared))

    assert run("run").exit_code == 0
    assert not shared.exists()


def test_a_load_is_in_raw_whole_or_not_at_all(read_world: str, connection: Connection) -> None:
    before = contents(connection, "raw")
    control(read_world, "advance", {"edit_silently": 10})
    refuse_updates(connection)

    assert run("run").exit_code == 1
    assert contents(connection, "raw") == before

    ask(connection, "drop trigger refuse on raw.users")
    assert run("run").exit_code == 0
    after = contents(connection, "raw")
    assert {name for name in before if before[name] != after[name]} >= {
        "coalitions",
        "users",
        "cursus_users",
    }


def test_rows_that_a_crash_took_out_of_staging_delete_nothing(
    read_world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(connection, "raw")
    stage = PostponedMergeJob.run

    def crash(job: PostponedMergeJob) -> None:
        stage(job)
        ask(connection, "truncate raw_staging.users")  # as a crash does: it is unlogged

    monkeypatch.setattr(PostponedMergeJob, "run", crash)
    control(read_world, "advance", {"edit_silently": 10})
    result = run("run")
    assert result.exit_code == 1
    assert "The database went away during the run" in result.output
    assert contents(connection, "raw") == before
    logged = ask(
        connection,
        "select relname from pg_class where relnamespace = 'raw_staging'::regnamespace "
        "and relkind = 'r' and relpersistence <> 'u' and not starts_with(relname, '_dlt')",
    )
    assert logged == []


def calls_of(done: Result) -> int:
    """The calls that a run says it made."""
    return int(done.output.split(" rows read in ")[1].split(" calls")[0].replace(",", ""))


def test_a_row_that_names_nobody_waits_for_the_rules_until_it_does(
    world: str, connection: Connection
) -> None:
    def of_nobody() -> int:
        return len(ask(connection, "select from raw.cursus_users where user_id is null"))

    fault = {"kind": "set_field", "path": r"/cursus_users\?", "field": "user", "value": None}
    control(world, "faults", {**fault, "call": 1})
    assert run("run").exit_code == 0
    assert of_nobody() == 1
    rows = count(connection, "cursus_users")

    assert run("run").exit_code == 0
    assert (of_nobody(), count(connection, "cursus_users")) == (0, rows)


def test_the_plan_predicts_the_calls_and_takes_few(world: str, connection: Connection) -> None:
    first = make_plan()
    made = calls_of(run("run"))
    assert abs(first.calls("full") - made) <= 2
    again = make_plan()
    assert again.calls("full") == made
    predicted = again.calls("backfill")
    made = calls_of(run("run", "--mode", "backfill"))
    assert abs(predicted - made) <= 0.15 * made
    last = make_plan()
    assert last.calls("backfill") == 0
    assert [plan.probes <= MOST_PROBES for plan in (first, again, last)] == [True] * 3


def test_a_spent_budget_keeps_what_was_read_and_the_next_run_goes_on(
    world: str, connection: Connection
) -> None:
    result = run("run", "--max-calls", "12")
    assert result.exit_code == 75
    assert "budget of 12 calls is spent" in result.output
    assert runs(connection) == [("full", "stopped")]
    forget_calls(world)
    assert run("run").exit_code == 0
    # only listings that were cut off in the middle are read again
    assert calls(world)["limited"] <= 27 - 8
    assert count(connection, "users") == 312


@pytest.mark.slow
def test_the_backfill_stops_at_its_budget_with_what_it_has(
    read_world: str, connection: Connection
) -> None:
    result = run("run", "--mode", "backfill", "--max-calls", "20")
    assert result.exit_code == 0, result.output
    assert "budget" in result.output
    assert len(ask(connection, "select from ops.relation_reads")) >= 100
    assert run("run", "--mode", "backfill").exit_code == 0
    counted = ask(connection, "select count(*) from ops.relation_reads group by resource")
    assert set(counted) == {(312,)}


def test_a_count_that_disagrees_is_narrowed_down_before_students_are_read_again(
    filled_world: str, connection: Connection
) -> None:
    ask(connection, "update ops.relation_reads set checked_at = now() - interval '2 days'")
    lacking = ask(
        connection,
        "delete from raw.projects_users where id in "
        "(select min(id) from raw.projects_users union select max(id) from raw.projects_users) "
        "returning user_id",
    )
    before = count(connection, "projects_users")
    [(began,)] = ask(connection, "select now()")

    run("run", "--mode", "backfill")

    assert count(connection, "projects_users") == before + 2
    reads = "select user_id from ops.relation_reads where resource = 'projects_users' and "
    again = ask(connection, reads + "read_at > %s", began)
    assert set(lacking) < set(again) and len(again) < 60
    assert ask(connection, reads + "checked_at <= %s", began) == [], "everybody was counted"


@pytest.mark.slow
def test_a_batch_that_is_read_again_loses_what_the_api_lists_no_more(
    filled_world: str, connection: Connection
) -> None:
    rows = "select id, user_id, achievement_id from raw.achievements_users order by id"
    before = ask(connection, rows)
    ask(
        connection,
        "insert into raw.achievements_users (id, achievement_id, user_id, _dlt_load_id) "
        "select 999999999, achievement_id, user_id, 'stray' from raw.achievements_users limit 1",
    )
    # a row that another batch will bring
    ask(
        connection,
        "update raw.achievements_users set user_id = (select max(id) from raw.users) "
        "where id = (select id from raw.achievements_users order by user_id limit 1)",
    )
    ask(connection, "update ops.relation_reads set stale = true")
    run("run", "--mode", "backfill")
    assert ask(connection, rows) == before


def test_only_the_chosen_campuses_are_read_and_may_lose_rows(
    read_world: str, connection: Connection
) -> None:
    smallest = "select campus_id from raw.users group by 1 order by count(*) limit 2"
    (first,), (second,) = ask(connection, smallest)
    forget_calls(read_world)
    result = run("run", "--campus-ids", f"{first},{second}")
    assert result.exit_code == 0, result.output
    assert calls(read_world)["paths"]["/v2/cursus/:cursus_id/users"] == 2
    assert count(connection, "users") == 312
    assert runs(connection)[-1] == ("campuses", "loaded"), "it is no full pass of the mirror"


@pytest.mark.parametrize(("gone", "fraction"), [(60, "0.1"), (20, "0.05")])
def test_too_many_deletions_stop_the_run_until_they_are_confirmed(
    read_world: str,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    gone: int,
    fraction: str,
) -> None:
    monkeypatch.setenv("MAX_DELETE_FRACTION", fraction)
    control(read_world, "advance", {"delete_users": gone})
    result = run("run")
    assert result.exit_code == 1
    assert f"no longer lists {gone} of the 312 rows that raw.users has" in result.output
    assert count(connection, "users") == 312
    monkeypatch.setenv("ALLOW_DELETES", "1")
    assert run("run").exit_code == 0
    assert count(connection, "users") == 312 - gone


def test_a_second_run_ends_at_once_and_says_who_holds_the_lock(
    world: str, connection: Connection
) -> None:
    with run_lock("full", "the-first-run"):
        result = run("run")
    assert result.exit_code == 75
    assert "Another run holds the lock: fortytwo-mirror full the-first-run" in result.output


def test_a_live_pass_without_a_full_one_becomes_one(world: str, connection: Connection) -> None:
    result = run("run", "--mode", "live")
    assert result.exit_code == 0
    assert "There is no full pass to build on yet" in result.output
    assert count(connection, "users") == 312
    assert runs(connection) == [("full", "loaded")], "what was done is on record"


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_is_stopped_is_on_record_as_stopped(
    sent: signal.Signals, world: str, connection: Connection
) -> None:
    create_schema(connection)
    process = subprocess.Popen([sys.executable, "-m", "extract", "run"], stderr=subprocess.PIPE)
    try:
        while runs(connection) != [("full", "running")]:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 130 and b"Stopped by Ctrl-C or SIGTERM" in said
    [(status, message)] = ask(connection, "select status, message from ops.runs")
    assert status == "stopped" and message.startswith("Stopped by Ctrl-C or SIGTERM")


def test_a_refused_secret_is_on_record_until_one_is_taken(
    read_world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = "select refused_at is not null from ops.application"
    for secret, recorded in (("no longer this one", True), ("sandbox", False)):
        monkeypatch.setenv("FORTYTWO_CLIENT_SECRET", secret)
        run("run", "--mode", "live")
        assert ask(connection, refused) == [(recorded,)]


@pytest.mark.parametrize(
    ("variables", "arguments", "status", "said"),
    [
        ({"FORTYTWO_CLIENT_SECRET": "wrong"}, [], 2, "refuses the application's credentials"),
        ({"FORTYTWO_CLIENT_SECRET": ""}, [], 2, "FORTYTWO_CLIENT_SECRET not set"),
        ({"FORTYTWO_API_URL": "nonsense"}, [], 2, "not an http(s) address"),
        ({"FORTYTWO_CURSUS_ID": "x"}, [], 2, "FORTYTWO_CURSUS_ID is 'x'"),
        ({"MAX_DELETE_FRACTION": "2"}, [], 2, "must be a share between 0 and 1"),
        ({}, ["--mode", "all"], 2, "MODE is 'all'; it must be one of full, live, backfill"),
        ({}, ["--campus-ids", "1,x"], 2, "CAMPUS_IDS is '1,x'"),
        ({"PGHOST": "127.0.0.1", "PGPORT": "9"}, [], 1, "Cannot connect to PostgreSQL"),
    ],
)
def test_wrong_settings_end_with_the_cause_and_the_fix(
    variables: dict[str, str],
    arguments: list[str],
    status: int,
    said: str,
    world: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_variables(monkeypatch, variables)
    result = run("run", *arguments)
    assert result.exit_code == status, result.output
    assert said in result.output
    assert "wrong" not in result.output


def test_an_api_out_of_reach_is_named(
    world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.api.auth.ATTEMPTS", 1)
    monkeypatch.setenv("FORTYTWO_API_URL", "http://127.0.0.1:9")
    result = run("run")
    assert result.exit_code == 1
    assert "No token from http://127.0.0.1:9/oauth/token: ConnectionError" in result.output
    assert runs(connection) == [("full", "failed")]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FORTYTWO_API_URL", "https://api.example.test", "invented people and real ones would mix"),
        ("FORTYTWO_CURSUS_ID", "9", "mirrors cursus 21, and FORTYTWO_CURSUS_ID is 9"),
    ],
)
def test_people_of_two_networks_or_two_cursus_never_mix(
    name: str,
    value: str,
    said: str,
    read_world: str,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, value)
    for mode in ("full", "live"):
        result = run("run", "--mode", mode)
        assert (result.exit_code, said in result.output) == (2, True), result.output
    assert count(connection, "users") == 312
