"""The files that hold the project together agree with each other and with the code."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from extract import embedded
from extract.base import libpq
from extract.base.query import execute
from extract.console import make_console
from extract.tables.streams import STREAMS
from tests.helpers import ROOT, connect, embedded_server, run_program

RUNTIME, DEVELOPMENT = "requirements.lock", "requirements-dev.lock"
SPARK = "requirements-spark.lock"
INTERNAL = {
    "FORTYTWO_RUN_ID",
    "FORTYTWO_LOCK_ID",
    "FORTYTWO_SIGNATURE",
    "FORTYTWO_ENV_FILE",
}  # between our own processes; for tests
PASSED_ON = {
    "PGHOSTADDR",
    "PGOPTIONS",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
}  # libpq's own, explained by its documentation
VARIABLE = re.compile(
    r"(FORTYTWO_[A-Z_]+[A-Z]|PG[A-Z]+|MAX_DELETE_FRACTION|CHANGES_RETENTION_DAYS|BACKFILL_CALLS"
    r"|RECONCILE_DAYS)"
)


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_program("make", *arguments, bare=True, **variables)


def sources() -> Iterator[Path]:
    for package in ("extract", "ops", "sandbox"):
        yield from (ROOT / package).rglob("*.py")


def imported(path: Path) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


def locked(lock: str) -> dict[str, str]:
    """Name and version of every package in a lock, for this platform and others."""
    text = (ROOT / lock).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", text, re.MULTILINE))


def declared() -> list[tuple[str, Requirement]]:
    """Each requirement with the lock that fulfils it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    needed = [*project["project"]["dependencies"], *groups["sandbox"]]
    return [
        *((RUNTIME, Requirement(text)) for text in needed),
        *((DEVELOPMENT, Requirement(text)) for text in groups["dev"]),
        *((SPARK, Requirement(text)) for text in groups["spark"]),
    ]


@pytest.mark.parametrize(("lock", "requirement"), declared(), ids=str)
def test_the_lock_fits_what_is_declared(lock: str, requirement: Requirement) -> None:
    version = locked(lock)[requirement.name.lower()]

    assert requirement.specifier.contains(version)


@pytest.mark.parametrize("lock", [DEVELOPMENT, SPARK])
def test_the_locks_have_the_same_versions(lock: str) -> None:
    runtime, other = locked(RUNTIME), locked(lock)

    both = runtime.keys() & other.keys()
    assert {name: runtime[name] for name in both} == {name: other[name] for name in both}


def test_what_only_tests_need_is_not_in_the_lock_of_the_mirror() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    tools = {Requirement(text).name.lower() for text in groups["dev"] + groups["spark"]}

    assert tools & locked(RUNTIME).keys() <= {"packaging", "pyyaml"}  # dbt needs them


@pytest.mark.parametrize("lock", [RUNTIME, DEVELOPMENT, SPARK])
def test_a_lock_has_a_hash_for_each_package_and_names_no_place(lock: str) -> None:
    text = (ROOT / lock).read_text()
    packages = re.split(r"\n(?=[a-z])", text)

    assert len(packages) == len(re.findall("^[a-z].*==", text, re.MULTILINE)) > 50
    assert [package for package in packages if "--hash=sha256:" not in package] == []
    assert not re.search(r"://|--(extra-)?index|--find-links", text)


def test_every_import_is_declared() -> None:
    distributions = {
        "dotenv": "python-dotenv",
        "markdown_it": "markdown-it-py",
        "vl_convert": "vl-convert-python",
        "yaml": "pyyaml",
    }
    names = {requirement.name.lower() for _, requirement in declared()} | {"psycopg2", "dbt"}
    names |= set(sys.stdlib_module_names) | {"extract", "ops", "sandbox"}

    for path in sources():
        for name in imported(path):
            assert distributions.get(name, name) in names, f"{path} imports {name}"


def test_the_sandbox_is_never_imported_by_what_runs_against_the_api() -> None:
    for path in sources():
        if "sandbox" not in path.relative_to(ROOT).parts:
            assert "sandbox" not in imported(path), path


def test_every_console_prints_addresses_as_they_are() -> None:
    """In fd00::a:b:1, rich would take :b: for the name of an emoji."""
    make_console(file=(told := io.StringIO())).print("fd00::a:b:1")
    assert told.getvalue() == "fd00::a:b:1\n"
    for path in sources():
        if path.name != "console.py":
            assert set(re.findall(r"\bConsole\(([^)]*)", path.read_text())) <= {"quiet=True"}, path


def test_every_variable_is_in_the_env_example() -> None:
    explained = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    read = {
        node.value
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and VARIABLE.fullmatch(str(node.value))
    }

    read |= {stream.retention for stream in STREAMS.values() if stream.days}
    of_libpq = {*libpq.NEWER, *libpq.OF_SESSIONS, *PASSED_ON}

    assert read - explained - INTERNAL - of_libpq == set()


def test_the_env_example_sets_nothing() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()

    assert [line for line in lines if line and not re.fullmatch(r"#.*|[A-Z_]+=", line)] == []


def test_the_embedded_server_accepts_the_settings_of_the_compose_file(local: Path) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    program, *settings = compose["services"]["postgres"]["command"]
    assert program == "postgres"
    embedded.start(local)
    embedded.stop(local)
    with (local / "postgres" / "postgresql.auto.conf").open("a") as configuration:
        for setting in settings:
            configuration.write(setting.removeprefix("--") + "\n")

    embedded.start(local)

    query = "select name from pg_settings where sourcefile like '%/postgresql.auto.conf'"
    with closing(connect(embedded_server(local))) as connection:
        applied = {name for (name,) in execute(connection, query)}
    assert {re.split("[-=]+", setting)[1] for setting in settings} <= applied | {"timezone"}


def test_make_help_names_every_target() -> None:
    rules = (ROOT / "Makefile").read_text()
    phony = {
        name
        for line in re.findall(r"^\.PHONY: (.*)$", rules, re.MULTILINE)
        for name in line.split()
        if not name.startswith("lint-")
    }

    told = make("help").stdout

    assert phony == set(re.findall(r"^  make ([a-z-]+) ", told, re.MULTILINE))
    assert phony >= {
        "sync",
        "extract",
        "test",
        "lint",
        "docs",
        "status",
        "check",
        "backup",
        "restore",
    }


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["sync", "MODE=live"], "-m ops sync --mode 'live'"),
        (
            ["extract", "MODE=backfill", "MAX_CALLS=10", "CAMPUS_IDS=1,9"],
            "-m extract run --mode 'backfill' --max-calls '10' --campus-ids '1,9'",
        ),
        (["plan", "MODE=live"], "-m ops plan"),
        (["sandbox", "SCALE=network", "PORT=0"], "-m sandbox --port '0' --scale 'network'"),
        (["erase", "LOGIN=jdoe"], "-m ops erase --login 'jdoe'"),
        (["erase", "ID=1", "CONFIRM=1"], "-m ops erase --id '1' --confirm"),
        (["readmit", "ID=1"], "-m ops readmit --id '1'"),
        (["restore", "FILE=a b"], "-m ops restore --file 'a b'"),
    ],
)
def test_make_passes_its_variables_on(arguments: list[str], command: str) -> None:
    told = make("--dry-run", *arguments, LOGIN="somebody", FILE="something").stdout

    assert re.sub(r" +", " ", told.splitlines()[-1]).strip() == f".venv/bin/python {command}"


def test_make_erases_nobody_because_of_an_exported_variable() -> None:
    told = make("--dry-run", "erase", LOGIN="somebody", ID="1", CONFIRM="1").stdout

    assert told.splitlines()[-1].strip() == ".venv/bin/python -m ops erase"


@pytest.mark.parametrize("value", ["", "0", "no", "False"])
def test_what_is_destroyed_is_confirmed_by_a_yes_alone(value: str) -> None:
    erase = make("--dry-run", "erase", "LOGIN=", "ID=3", f"CONFIRM={value}").stdout
    restore = make("--dry-run", "restore", "FILE=", f"FORCE={value}").stdout

    assert "--confirm" not in erase and "--login" not in erase and "--id '3'" in erase
    assert "--force" not in restore and "--file" not in restore
