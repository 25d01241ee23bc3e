"""`psql` and `dbt`, typed bare, reach the mirror's database."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from extract import embedded, programs
from extract.programs import DBT, on_another_engine
from ops.backup.postgres import variables
from tests.helpers import ROOT, run_module, run_program, set_variables


def run(program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    script = f"from extract.programs import {program}; {program}()"
    return run_program(sys.executable, "-c", script, *arguments, **variables)


def test_psql_reaches_the_embedded_server_with_nothing_set(local: Path) -> None:
    told = run(
        "psql", "-X", "-Atc", "select current_user, current_database()", FORTYTWO_LOCAL=str(local)
    )

    assert (told.stdout, told.stderr) == ("fortytwo|fortytwo\n", "")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PGSSLMODE", "require"), ("PGREQUIRESSL", "1"), ("PGSSLROOTCERT", "system")],
)
def test_programs_without_tls_reach_a_socket_where_encryption_is_asked_for(
    variable: str, value: str, database: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    told = run("psql", "-X", "-Atc", "select 1")
    of_programs = variables(database["PGDATABASE"])
    dumped = run_program(embedded.binary("pg_dump"), "--schema=none*", **of_programs)

    assert (told.stdout, told.stderr) == ("1\n", "")
    assert "not compiled in" not in dumped.stderr


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", ""), ("/tmp,db.example", ""), ("/tmp", "127.0.0.1")]
)
def test_encryption_is_asked_for_where_a_host_is_on_a_network(
    host: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", host)
    monkeypatch.setenv("PGHOSTADDR", address)
    monkeypatch.setenv("PGSSLMODE", "require")

    assert variables("postgres")["PGSSLMODE"] == "require"


def test_a_server_is_dumped_by_the_program_of_its_own_version_where_that_is_installed(
    postgres_server: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variables(monkeypatch, postgres_server)
    for name in ("pg_dump", "pg_restore"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 15.20'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(programs, "_installed", lambda name: [tmp_path / name])

    found = [programs.program(name, 150020) for name in ("pg_dump", "pg_restore")]

    assert found == [str(tmp_path / "pg_dump"), str(embedded.binary("pg_restore"))]
    assert programs.program("pg_dump", 180004) == str(embedded.binary("pg_dump"))


def test_psql_goes_where_its_arguments_say(postgres_server: dict[str, str], local: Path) -> None:
    host = postgres_server["PGHOST"]

    told = run("psql", "-X", "-h", host, "-U", "fortytwo", "-Atc", "select 1", "postgres")

    assert told.stdout == "1\n"
    assert not (local / "postgres").exists()


@pytest.mark.parametrize("command", [("psql", "-Atc", "select 1"), ("dbt", "build")])
def test_a_wrong_setting_is_explained(command: tuple[str, ...]) -> None:
    told = run(*command, PGPORT="five")

    assert told.returncode == 2
    assert told.stderr.startswith(f"{command[0]}: PGPORT is 'five'")


def test_dbt_starts_the_embedded_server_it_needs(local: Path, tmp_path: Path) -> None:
    told = dbt_debug(tmp_path, FORTYTWO_LOCAL=str(local))

    assert f"host: {local}/socket" in told
    assert "[OK connection ok]" in told  # without colours: it is no terminal


def test_dbt_reads_the_server_from_the_env_file_and_nothing_of_somebodys_other_project(
    postgres_server: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "env").write_text("".join(f"{k}={v}\n" for k, v in postgres_server.items()))

    told = dbt_debug(
        tmp_path,
        FORTYTWO_ENV_FILE=str(tmp_path / "env"),
        DBT_TARGET="production",
        DBT_ENGINE_TARGET="production",
        DBT_PROFILE="shop",
        DBT_PROFILES_DIR=str(tmp_path),
        DBT_PROJECT_DIR=str(tmp_path),
    )

    assert f"host: {postgres_server['PGHOST']}" in told
    assert "OK connection ok" in told


def test_what_a_killed_build_on_spark_left_of_a_table_is_removed(tmp_path: Path) -> None:
    for file in ("warehouse/raw.db/users/_temporary/0/part", "warehouse/raw.db/cursus/part"):
        (tmp_path / "spark" / file).parent.mkdir(parents=True)
        (tmp_path / "spark" / file).touch()
    told = str(tmp_path / "told")
    variables = dict.fromkeys(("DBT_LOG_PATH", "DBT_TARGET_PATH"), told)

    def parse() -> None:
        run("dbt", "parse", "--target", "spark", FORTYTWO_LOCAL=str(tmp_path), **variables)

    with (tmp_path / "spark" / "build.lock").open("w") as other:  # of a build that is under way
        fcntl.flock(other, fcntl.LOCK_EX)
        parse()
        assert (tmp_path / "spark/warehouse/raw.db/users").exists()

    parse()

    tables = tmp_path / "spark" / "warehouse" / "raw.db"
    assert [path.name for path in tables.iterdir()] == ["cursus"]


def dbt_debug(directory: Path, **variables: str) -> str:
    told = run("dbt", "debug", "--connection", DBT_LOG_PATH=str(directory / "logs"), **variables)
    return told.stdout + told.stderr


@pytest.mark.parametrize(
    ("no_color", "coloured"), [("", True), pytest.param("1", False, marks=pytest.mark.slow)]
)
def test_dbt_colours_what_a_terminal_shows_unless_told_not_to(
    no_color: str, coloured: bool, local: Path, tmp_path: Path
) -> None:
    terminal, its_end = os.openpty()
    variables = {"TERM": "xterm", "NO_COLOR": no_color, "FORTYTWO_LOCAL": str(local)}

    subprocess.run(
        [*DBT, "--log-path", tmp_path, "debug", "--config-dir"],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=its_end,
        check=True,
    )

    assert (b"\x1b[" in os.read(terminal, 100_000)) == coloured
    log = tmp_path / "dbt.log"
    assert ("\x1b[" in log.read_text(), log.stat().st_mode & 0o077) == (False, 0)
    for end in (terminal, its_end):
        os.close(end)


@pytest.mark.parametrize(
    ("program", "early", "status", "words"),
    [
        # the second is one of the first that it imports
        (["-m", "extract"], "typer", -signal.SIGINT, ""),
        (["-m", "ops"], "typer", -signal.SIGINT, ""),
        (DBT[1:], "mashumaro", 130, "dbt: Stopped by Ctrl-C."),
    ],
    ids=["extract", "ops", "dbt"],
)
def test_who_stops_a_command_while_it_starts_sees_no_traceback(
    program: list[str], early: str, status: int, words: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", *program, "--help"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if early in line:
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in said) == (status, False)
    assert words in said


def test_the_lines_of_a_paragraph_of_help_flow() -> None:
    said = run_module("ops", "sync", "--help", COLUMNS="80").stdout

    assert re.search(r"wrong usage or +\n configuration, 75 another run holds", said)


def test_dbt_that_cannot_write_its_log_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = run("dbt", "parse", DBT_LOG_PATH=str(tmp_path / "file" / "logs"))

    assert done.returncode == 2
    assert f"{tmp_path}/file/logs" in done.stderr and "DBT_LOG_PATH." in done.stderr


def test_dbt_help_needs_no_server(local: Path) -> None:
    assert "--profiles-dir" in run("dbt", "build", "--help", FORTYTWO_LOCAL=str(local)).stdout
    assert not (local / "postgres").exists()


def test_the_embedded_server_can_be_run_by_hand(local: Path) -> None:
    def by_hand(*arguments: str) -> tuple[int, str]:
        done = run_module("extract.embedded", *arguments, FORTYTWO_LOCAL=str(local))
        return done.returncode, done.stdout + done.stderr

    assert by_hand("start")[1].startswith("The embedded PostgreSQL is running (process ")
    assert f"data in {local}/postgres" in by_hand("status")[1]
    assert by_hand("stop")[1].startswith("The embedded PostgreSQL is not running")
    for arguments, wrong in (("--help", 0), ("restart", 2)):
        status, said = by_hand(arguments)
        assert (status, "{start,stop,status}" in said) == (wrong, True)
    (local / "file").write_text("")
    local = local / "file" / "below"
    status, said = by_hand("start")
    assert (status, said.startswith("The embedded PostgreSQL cannot use")) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "elsewhere"),
    [
        ("build --target spark", True),
        ("build --target=duckdb", True),
        ("-t duckdb build", True),
        ("build -tspark", True),
        ("build", False),
        ("build --target mirror", False),
        ("build --project-dir /home/spark/duckdb", False),
        ("build --select duckdb", False),
        ("build --target-path spark", False),
    ],
)
def test_dbt_looks_for_objects_of_others_unless_told_to_build_on_another_engine(
    arguments: str, elsewhere: bool
) -> None:
    assert on_another_engine(arguments.split()) == elsewhere
