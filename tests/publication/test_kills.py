"""SIGKILL to the client, the server's process or the whole server in mid-publication."""

from __future__ import annotations

import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress

import psycopg2
import pytest

from extract.programs import DBT
from tests.helpers import ROOT, wait_for
from tests.publication.lab import Lab

CLIENT = """
import sys, psycopg2
connection = psycopg2.connect(sys.argv[1])
connection.autocommit = True
script = sys.stdin.read()
print(connection.info.backend_pid, flush=True)
connection.cursor().execute(script)
"""
# Large enough that a publication takes a while, so that random points fall into it.
GROW = """
insert into marts.projects_users (id, user_id, project_id, status)
select 1000000 + n, users.id, 1 + n % 27, 'finished'
from generate_series(1, 20000) as n
inner join marts.users on users.id = 1 + n % 100 - (1 + n % 100) % 5 + 5;
"""
CHANGE = """
update marts.projects_users set final_mark = coalesce(final_mark, 0) + 1;
delete from marts.coalitions_users where user_id % 30 = {number};
update marts.users set wallet = wallet + 1;
insert into marts.coalitions (id, name, slug) values (1000 + {number}, 'New', 'new');
"""


@pytest.fixture
def grown(lab: Lab) -> Lab:
    # The tests' server may forget commits when it is killed; this database may not.
    lab.run(f"alter database {lab.variables['PGDATABASE']} set synchronous_commit = on")
    lab.run(GROW)
    lab.publish()
    return lab


def start_publication(lab: Lab) -> tuple[subprocess.Popen[str], int]:
    """A client of its own that has begun to publish, and the server's process for it."""
    with closing(lab.connect()) as connection:
        dsn = connection.dsn
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, dsn],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert client.stdin and client.stdout
    client.stdin.write(lab.next_script())
    client.stdin.close()
    return client, int(client.stdout.readline())


def kill_client(client: subprocess.Popen[str], backend: int) -> None:
    client.kill()


def kill_backend(client: subprocess.Popen[str], backend: int) -> None:
    # The server ends all sessions and recovers, as after a power cut.
    with suppress(ProcessLookupError):
        os.kill(backend, signal.SIGKILL)


def wait_until_over(lab: Lab, backend: int) -> None:
    """Until the server answers again and the killed publication is no longer at work."""

    def is_over() -> bool:
        with suppress(psycopg2.Error):
            return not lab.rows(f"select from pg_stat_activity where pid = {backend}")
        return False

    wait_for(is_over, "the end of the publication", 30)


@pytest.mark.slow
def test_a_kill_at_any_point_leaves_the_old_state_or_the_new(grown: Lab) -> None:
    started = time.monotonic()
    grown.run(CHANGE.format(number=0))
    grown.publish()
    duration = time.monotonic() - started
    outcomes = []
    kills: list[Callable[[subprocess.Popen[str], int], None]] = [kill_client] * 5
    own_server = "/" in grown.variables["PGHOST"]  # which we may kill
    kills += [kill_backend] * 5 if own_server else []
    for number, kill in enumerate(kills, 1):
        old = grown.state()
        runs = grown.value("select count(*) from ops.runs where status = 'published'")
        grown.run(CHANGE.format(number=number))
        new = grown.candidate()
        client, backend = start_publication(grown)
        time.sleep(random.random() * duration)
        kill(client, backend)
        client.wait()
        wait_until_over(grown, backend)

        found = grown.state()
        recorded = grown.value("select count(*) from ops.runs where status = 'published'") - runs
        assert (found, recorded) in ((old, 0), (new, 1)), f"between the states after kill {number}"
        outcomes.append("new" if recorded else "old")

        grown.publish()
        assert grown.state() == new, "the next run did not heal it"
    # A server goes on without its client; only its own end can come too early.
    assert "old" in outcomes or not own_server, "no kill came before the end of a publication"


@pytest.mark.slow
def test_a_killed_build_publishes_all_or_nothing_and_the_next_run_goes_on(lab: Lab) -> None:
    lab.run("update raw.users set wallet = 5 where id = 1")
    old = lab.state()
    barrier = lab.connect()
    barrier.cursor().execute("select pg_advisory_lock(42, 22)")  # stops it as it begins to publish
    shell = subprocess.Popen(
        [
            "bash",
            "-c",
            f"{shlex.join(DBT)} -q build --exclude-resource-type unit_test & echo $!; wait; true",
        ],
        cwd=ROOT,
        env={**os.environ, **lab.variables, "DBT_TARGET_PATH": str(lab.target)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert shell.stdout
    dbt = int(shell.stdout.readline())
    waiting = "select pid from pg_locks where locktype = 'advisory' and objid = 22 and not granted"
    wait_for(lambda: lab.rows(waiting), "the publication", 60)
    [(backend,)] = lab.rows(waiting)

    shell.kill()
    shell.wait()
    assert lab.state() == old
    os.kill(dbt, signal.SIGKILL)
    assert lab.state() == old
    barrier.close()
    wait_until_over(lab, backend)

    # The server finishes what it was told as a whole, whoever is left to hear of it.
    assert lab.state() == lab.candidate()
    assert lab.value("select wallet from mirror.users where id = 1") == 5
    lab.publish()
    assert lab.state() == lab.candidate()
