"""Nothing secret and nobody's data where it does not belong, in good runs and in failing ones."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import requests
from dlt.common.runtime import anon_tracker

import extract.base.settings
from extract.api.client import HEADERS, FortyTwoClient
from extract.api.quota import Quota
from extract.base.folders import MARK
from extract.base.query import execute
from extract.base.settings import Settings
from tests.conftest import started_sandbox
from tests.extract.served_list import ServedList, serve
from tests.faults import lab
from tests.faults.lab import Case, Postgres, Sandbox, heal, run_here
from tests.faults.truth import FULL, differences
from tests.helpers import ROOT, set_variables

pytestmark = pytest.mark.faults
CANARY = "s-s42s2ud-canary5e0c1d2b3a4f"
NEXT_CANARY = "s-s42s2ud-canary9f8e7d6c5b4a"
PASSWORD = "canary-password-77"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Sandbox]:
    """A sandbox with secrets that can be searched for."""
    secrets = ("--client-secret", CANARY, "--next-secret", NEXT_CANARY)
    with started_sandbox(*secrets) as address:
        yield Sandbox(address, NEXT_CANARY)


@pytest.fixture
def empty(
    guarded: Sandbox,
    postgres: Postgres,
    parsed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Case]:
    """A mirror that never ran, with those secrets."""
    with postgres.copy() as name:
        local = tmp_path / "local"
        target = local / "dbt" / "target"
        target.mkdir(parents=True)
        (local / MARK).touch(mode=0o600)
        if (known := parsed / "partial_parse.msgpack").exists():
            shutil.copy(known, target)
            (target / known.name).chmod(0o600)
        variables = {
            **lab.settings_of(guarded.address, local),
            **postgres.variables,
            "PGDATABASE": name,
            "PGPASSWORD": PASSWORD,
            "FORTYTWO_CLIENT_SECRET": CANARY,
            "DBT_TARGET_PATH": str(target),
            "DBT_LOG_PATH": str(local / "dbt" / "logs"),
        }
        set_variables(monkeypatch, variables)
        with closing(postgres.connect(name)) as connection:
            yield Case(guarded, name, connection, local)
        guarded.control("reset")


def token_of(sandbox: Sandbox, secret: str) -> str:
    """The token of the application: a living one is handed out again."""
    form = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": secret}
    answer = requests.post(f"{sandbox.address}/oauth/token", data=form, timeout=30)
    return str(answer.json()["access_token"])


def secrets_of(sandbox: Sandbox) -> dict[str, bytes]:
    """What must be nowhere, by its name."""
    people = {
        str(row[field])
        for row in sandbox.truth.rows("users").values()
        for field in ("email", "login", "displayname")
    }
    found = {
        "secret": CANARY,
        "next secret": NEXT_CANARY,
        "token": token_of(sandbox, NEXT_CANARY),
        "password": PASSWORD,
        **{f"person {text}": text for text in people if len(text) > 6},
    }
    return {name: text.encode() for name, text in found.items()}


def leaks(secrets: dict[str, bytes], places: dict[str, bytes]) -> list[str]:
    """Which secret is where."""
    found = []
    for place, content in places.items():
        found += [f"{name} in {place}" for name, text in secrets.items() if text in content]
    return found


def files_below(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def tables_of(case: Case, *schemas: str) -> dict[str, bytes]:
    """Every table of the schemas, as text; comments and settings of the database too."""
    places = {}
    tables = case.ask(
        "select schemaname || '.' || tablename from pg_tables where schemaname = any(%s) "
        "and tablename not like '%%users' and tablename not like 'coalitions%%'",
        list(schemas),
    )
    for (table,) in tables:
        rows = case.ask(f"select t::text from {table} as t")
        places[table] = "\n".join(text for (text,) in rows).encode()
    return places


def test_a_whole_sync_leaves_no_secret_and_nobodys_data(empty: Case) -> None:
    seen_by_ps: set[str] = set()
    process = empty.program("ops", "sync")
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            for other in psutil.process_iter(["cmdline"]):
                seen_by_ps.add(" ".join(other.info["cmdline"] or ()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    said, _ = process.communicate(timeout=200)
    done.set()
    watcher.join()
    assert process.returncode == 0, said

    places = {
        "the output": said.encode(),
        "ps": "\n".join(line for line in seen_by_ps if "-m sandbox" not in line).encode(),
        **files_below(empty.local),
        **tables_of(empty, "ops"),
        **{
            f"{name} (dlt)": text
            for name, text in tables_of(empty, "raw").items()
            if "_dlt" in name
        },
    }
    # `raw` and `mirror` are where people belong; everything else knows numbers only
    assert any("dbt" in place for place in places) and "ops.runs" in places
    assert not leaks(secrets_of(empty.sandbox), places)
    assert not list((empty.local / "listings").iterdir()), "cached listings are people's data"
    assert anon_tracker._ANON_TRACKER_ENDPOINT is None, "dlt reports to its makers"


def test_what_an_interrupted_run_keeps_is_private(empty: Case) -> None:
    status, _ = empty.run("extract", "run", "--max-calls", "12")
    assert status == 75
    kept = list((empty.local / "listings").iterdir())
    assert kept
    for path in filter(Path.is_file, empty.local.rglob("*")):
        shared = path.stat().st_mode & 0o077
        inside_private = any(
            parent.stat().st_mode & 0o077 == 0
            for parent in path.parents
            if parent.is_relative_to(empty.local)
        )
        assert not shared or inside_private, f"others can read {path}"


def test_the_settings_and_the_local_folder_are_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract.base.settings, "ROOT", tmp_path)
    monkeypatch.delenv("FORTYTWO_LOCAL")
    (tmp_path / ".local").mkdir(mode=0o755)
    (tmp_path / ".env").touch(mode=0o644)
    extract.base.settings.make_private()
    assert (tmp_path / ".local").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    (tmp_path / ".env").unlink()
    extract.base.settings.make_private()


@pytest.mark.parametrize(("days", "warned"), [("6.9", True), ("7.1", False)])
def test_the_end_of_the_secret_is_told_from_seven_days_on(
    days: str, warned: bool, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started_sandbox("--secret-days", days) as address:
        monkeypatch.setenv("FORTYTWO_API_URL", address)
        ran = run_here("full", campus_ids=[7])
    assert ran.error is None, ran.said
    told = f"The application's secret expires in {days} days"
    assert (told in ran.said) == warned
    status, said = case.run("ops", "status")
    assert status == 0, said
    assert f"secret good for {days} days" in said
    assert ("secret expires in" in said) == warned


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ({"kind": "string_for_number", "field": "wallet"}, "raw.users.wallet"),
        ({"kind": "set_field", "field": "id"}, "raw.users.id"),
        ({"kind": "denied_403"}, "403"),
        ({"kind": "duplicate_ids", "call": "every"}, "came twice"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_a_failing_run_names_the_field_and_nobody(
    fault: dict[str, str], shown: str, empty: Case
) -> None:
    canary = "jane.canary@student.example"
    empty.sandbox.break_(path="/v2/cursus/:id/users", value=canary, **fault)
    status, said = empty.run("extract", "run")
    assert status == 1
    assert shown in said
    secrets = {**secrets_of(empty.sandbox), "canary": canary.encode()}
    kept = {name for name in files_below(empty.local) if "/listings/" in name}
    places = {name: text for name, text in files_below(empty.local).items() if name not in kept}
    assert not leaks(secrets, {"output": said.encode(), **places, **tables_of(empty, "ops")})


def test_a_refused_secret_is_not_repeated(empty: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "s-s42s2ud-wrong00112233"
    monkeypatch.setenv("FORTYTWO_CLIENT_SECRET", wrong)
    status, said = empty.run("extract", "run")
    assert status == 2
    assert said.startswith("Error: The API at ") and "FORTYTWO_CLIENT_SECRET" in said
    assert said.count("\n") == 1
    assert not leaks(
        {"secret": wrong.encode()}, {"output": said.encode(), **files_below(empty.local)}
    )


def test_the_next_secret_takes_over(empty: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTYTWO_CLIENT_SECRET_NEXT", NEXT_CANARY)
    empty.sandbox.break_(kind="secret_expired")
    ran = run_here("full")
    assert ran.error is None, ran.said
    assert "FORTYTWO_CLIENT_SECRET_NEXT took over" in ran.said
    assert not differences(empty.connection, empty.sandbox.truth, FULL)
    assert empty.ask("select using_next_secret from ops.application") == [(True,)]


def test_the_next_secret_takes_over_in_mid_listing(
    empty: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORTYTWO_CLIENT_SECRET_NEXT", NEXT_CANARY)
    broken: list[object] = []

    def break_once(listing: object, page: object) -> None:
        if not broken:
            empty.sandbox.break_(kind="secret_expired")
        broken.append(listing)

    ran = run_here("full", on_page=break_once)
    assert ran.error is None, ran.said
    assert not differences(empty.connection, empty.sandbox.truth, FULL)


def test_without_a_next_secret_an_expired_one_says_what_to_do(empty: Case) -> None:
    empty.sandbox.break_(kind="secret_expired")
    ran = run_here("full")
    assert re.search(r"refuses the application's credentials .* put it into \.env", ran.said)
    empty.sandbox.mend()
    heal(empty)


def test_requests_name_the_program_and_nobody(tmp_path: Path) -> None:
    listing = ServedList([])
    with serve(listing) as url:
        client = FortyTwoClient(Settings(url, "id", CANARY), Quota(url, directory=tmp_path))
        client.page("/cursus")
    ((_, of_page),) = listing.seen
    for sent in (*listing.tokens, of_page):
        assert sent["User-Agent"] == HEADERS["User-Agent"]
        told = " ".join(sent.values())
        assert CANARY not in told
        assert os.uname().nodename not in told


def test_every_server_of_ours_listens_on_this_machine_only(
    sandbox: Sandbox, postgres: Postgres, tmp_path: Path
) -> None:
    ours = [
        process
        for process in psutil.Process().children(recursive=True)
        if "sandbox" in " ".join(process.cmdline())
    ]
    assert ours
    with closing(postgres.connect("postgres")) as connection:
        ((data,),) = execute(connection, "show data_directory")
        listens = execute(connection, "show listen_addresses")
    pid = int((Path(data) / "postmaster.pid").read_text().splitlines()[0])
    for process in [*ours, psutil.Process(pid)]:
        for found in process.net_connections("inet"):
            if found.status == psutil.CONN_LISTEN:
                assert found.laddr.ip in ("127.0.0.1", "::1"), process.cmdline()
    assert listens in ([("",)], [("localhost",)])
    for path in (ROOT / "ops").rglob("*.py"):
        for host in re.findall(r"HTTPServer\(\s*\(([^,]*),", path.read_text(encoding="utf-8")):
            assert host == '"127.0.0.1"', f"{path} serves on {host}"
