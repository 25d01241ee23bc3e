"""kill -9, sleep, a second run, a jumping clock: the next plain run ends equal to the truth."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest

from extract.api.auth import ClientCredentials
from extract.api.quota_file import machine_clock
from extract.listing.listing import Listing
from extract.programs import DBT
from tests.conftest import WITHOUT_UNIT_TESTS
from tests.end_to_end import oracle
from tests.faults import children
from tests.faults.lab import Case, heal, run_here, stale
from tests.faults.truth import FULL, RELATIONS, contents, differences
from tests.helpers import ROOT, wait_for

pytestmark = pytest.mark.faults


def wrong(case: Case) -> list[str]:
    return differences(case.connection, case.sandbox.truth, FULL)


def build(case: Case) -> subprocess.Popen[str]:
    """Start `dbt build`."""
    return subprocess.Popen(
        [*DBT, "--quiet", "build", *WITHOUT_UNIT_TESTS],
        cwd=ROOT,
        env={**os.environ, "DBT_LOG_PATH": str(case.local / "logs")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_group(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.usefixtures("impatient")
def test_extract_killed_at_ten_random_points(case: Case) -> None:
    chance = random.Random(42)
    case.sandbox.control("settings", {"latency": 0.03})
    killed = 0
    for number in range(10):
        stale(case.connection)  # so that a backfill has something to read
        target = case.sandbox.calls() + chance.randint(1, 16)
        child = children.start("backfill" if number % 3 == 2 else "full")
        while case.sandbox.calls() < target and child.is_alive():
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.5))
        child.kill()
        child.join()
        killed += child.exitcode == -signal.SIGKILL
        case.lock_is_free()
    assert killed >= 8
    case.sandbox.control("settings", {"latency": 0})

    heal(case, "full", "backfill", tables=(*FULL, *RELATIONS))
    (unsaid,) = case.ask("select count(*) from ops.runs where status = 'running'")
    assert unsaid == (0,), "a killed run is still called running"


def test_extract_killed_while_it_loads(case: Case, untouched: dict[str, dict[str, str]]) -> None:
    blocker = case.connection.cursor()
    blocker.execute("begin")
    blocker.execute("lock table raw.users in share mode")
    child = children.start("full")
    waiting = "select pid from pg_locks where not granted and locktype = 'relation'"
    wait_for(lambda: case.ask(waiting), "the load")
    ((loader,),) = case.ask(waiting)
    child.kill()
    child.join()
    blocker.execute("select pg_terminate_backend(%s)", (loader,))
    blocker.execute("rollback")
    case.lock_is_free()
    wait_for(
        lambda: not case.ask("select 1 from pg_stat_activity where pid = %s", loader),
        "the end of the load",
    )
    assert contents(case.connection, "raw") == untouched["raw"]

    heal(case)


def test_dbt_killed_while_it_builds_and_while_it_publishes(case: Case) -> None:
    assert run_here("full").error is None
    assert run_here("backfill").error is None
    mirror = contents(case.connection, "mirror")
    (before,) = case.ask("select max(built_at) from ops.candidates")

    process = build(case)  # some candidates are new, others old
    built = "select 1 from ops.candidates where built_at > %s"
    wait_for(lambda: len(case.ask(built, before)) >= 3, "three new candidates")
    kill_group(process)
    assert contents(case.connection, "mirror") == mirror

    blocker = case.connection.cursor()
    blocker.execute("begin")  # the publication comes to a stop with half of its changes made
    blocker.execute("lock table mirror.achievements_users in share mode")
    process = build(case)
    waiting = "select pid from pg_locks where not granted and mode = 'RowExclusiveLock'"
    wait_for(lambda: case.ask(waiting), "the publication")
    ((publisher,),) = case.ask(waiting)
    kill_group(process)
    blocker.execute("select pg_terminate_backend(%s)", (publisher,))
    blocker.execute("rollback")
    wait_for(
        lambda: not case.ask("select 1 from pg_stat_activity where pid = %s", publisher),
        "the end of the publication",
    )
    assert contents(case.connection, "mirror") == mirror

    process = build(case)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert not oracle.differences(case.connection, oracle.expected(case.sandbox.address))
    status, said = case.run("ops", "check")
    assert status == 0, said


@pytest.mark.usefixtures("impatient")
def test_the_second_of_two_runs_ends_at_once_and_says_who_is_at_work(case: Case) -> None:
    case.sandbox.control("settings", {"latency": 0.3})
    result = children.queue()
    calls = case.sandbox.calls()
    first = children.start("full", result)
    wait_for(lambda: case.sandbox.calls() > calls, "the first call")

    status, said = case.run("extract", "run", "--mode", "full")

    assert status == 75
    assert said.startswith("Error: Another run holds the lock: fortytwo-mirror full ")
    assert said.count("\n") == 1
    assert first.is_alive(), "it waited for the first one"
    case.sandbox.control("settings", {"latency": 0})
    error, told = result.get(timeout=60)
    first.join()
    assert error is None, told
    assert not wrong(case)


def test_a_laptop_that_sleeps_past_the_tokens_life(case: Case) -> None:
    case.sandbox.control("settings", {"latency": 0.05})
    result = children.queue()
    calls = case.sandbox.calls()
    child = children.start("full", result)
    wait_for(lambda: case.sandbox.calls() >= calls + 5, "some calls")
    assert child.pid
    os.kill(child.pid, signal.SIGSTOP)
    # eight hours pass outside: the token died, and connections that were open are given up
    case.sandbox.control("clock", {"advance_seconds": 8 * 3600})
    case.sandbox.break_(kind="reset_before_body", path="^/v2/", times=2)
    time.sleep(1)
    os.kill(child.pid, signal.SIGCONT)
    error, told = result.get(timeout=60)
    child.join()
    assert case.sandbox.fired() == [2]
    assert error is None, told
    assert not wrong(case)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("days", [-400, 400], ids=["back", "forth"])
def test_the_clock_jumps_in_mid_run(days: int, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    jumped: list[Listing] = []

    def clock() -> float:
        return real() + (days * 86400.0 if jumped else 0.0)

    # the quota's pace does not look at it at all
    assert machine_clock() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=1)
    monkeypatch.setattr(time, "time", clock)
    defaults = ClientCredentials.__init__.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "clock", clock)

    ran = run_here("full", on_page=lambda listing, page: jumped.append(listing))

    assert ran.error is None, ran.said
    assert not wrong(case)
    jumped.clear()  # the clock is set right again
    heal(case)
