"""What runs at the same time: one after the other, or refused; never both at work in mirror."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from extract.base.errors import BusyError
from extract.base.lock import new_run_id, run_lock
from extract.load.record import create_schema
from tests.helpers import ROOT, run_program, sql, wait_for
from tests.publication.lab import Lab

SECONDS = 120


def waiting(lab: Lab) -> int:
    """Sessions of the test's database that wait for a lock."""
    found = lab.value(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
        "and datname = current_database()"
    )
    return int(found)


def test_two_publications_at_once_do_their_work_one_after_the_other(lab: Lab) -> None:
    lab.run("update marts.users set login = 'renamed' where id = 2")
    reader = lab.connect(autocommit=False)
    with reader.cursor() as cursor:  # the first one has looked what differs, and waits for this row
        cursor.execute("select from mirror.users where id = 2 for update")
    first = threading.Thread(target=lab.run, args=(lab.next_script(),))
    first.start()
    wait_for(lambda: waiting(lab) == 1, "the first publication to wait for the row")
    second = threading.Thread(target=lab.run, args=(lab.next_script(),))
    second.start()
    wait_for(lambda: waiting(lab) == 2, "the second publication to wait for the first")
    reader.rollback()
    first.join(SECONDS)
    second.join(SECONDS)
    reader.close()

    assert lab.value("select login from mirror.users where id = 2") == "renamed"
    # the second one, had it looked before the first was done, would have changed it once more
    assert lab.rows(
        "select action, columns from ops.changes "
        "where table_name = 'users' and key ->> 'id' = '2' and 'login' = any(columns)"
    ) == [("update", ["login"])]


COMPARE = """
    update ops.candidates as candidate
    set (mirror_rows, deletions, compared_since) = (select * from ops.compare(candidate.table_name))
"""


def test_a_publication_takes_what_the_build_has_compared(lab: Lab) -> None:
    lab.run("update marts.users set wallet = -1 where id in (1, 2)")
    script = lab.next_script()
    lab.run(COMPARE)
    lab.run("delete from intermediate.users__differences where id = 1")

    lab.run(script)

    assert lab.value("select array_agg(id) from mirror.users where wallet = -1") == [2]
    assert lab.rows("select from pg_class where relname like '%differences'") == []


@pytest.mark.parametrize(
    "write",
    [
        "update mirror.users set wallet = -1 where id = 2",
        "delete from mirror.projects_users where user_id = 2",
        "delete from mirror.users where id = 2",
    ],
)
def test_what_is_written_to_mirror_after_the_comparison_is_compared_again(
    lab: Lab, write: str
) -> None:
    lab.run("update marts.users set login = 'renamed' where id = 3")
    script = lab.next_script()
    at_work = lab.connect(autocommit=False)
    with at_work.cursor() as cursor:  # what is not committed yet cannot be seen
        cursor.execute(write)
        lab.run(COMPARE)
    at_work.commit()
    at_work.close()

    lab.run(script)

    assert lab.state() == lab.candidate()


def test_two_threads_that_replace_what_a_view_stands_on_wait_for_no_ring(lab: Lab) -> None:
    other = lab.connect(autocommit=False)
    command = [ROOT / "bin" / "dbt", "run", "--select", "int_campuses__classified"]
    with other.cursor() as cursor:  # as another thread does that replaces int_cursus__classified
        cursor.execute("select pg_advisory_xact_lock(42, 25)")
        cursor.execute("drop view intermediate.int_cursus_events__classified cascade")
        environment = {**os.environ, **lab.variables}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        wait_for(lambda: waiting(lab) == 1, "the build to wait for the other thread")
        cursor.execute("drop view intermediate.int_events__classified cascade")
    other.commit()
    other.close()
    output, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 0, output
    assert "deadlock" not in output


def test_the_views_on_a_replaced_table_go_in_another_transaction_than_the_table(lab: Lab) -> None:
    lab.run("""
        create table public.dropped (transaction xid8 default pg_current_xact_id(), name text);
        create function public.note() returns event_trigger language plpgsql as $$
        begin
            insert into public.dropped (name)
            select object_name from pg_event_trigger_dropped_objects()
            where object_type in ('table', 'view');
        end $$;
        create event trigger note on sql_drop execute function public.note()
    """)

    outcome = lab.dbt("run", "--select", "int_campuses__classified")

    assert outcome.success, outcome.output
    found = lab.rows(
        "select array_agg(name order by name) from public.dropped group by transaction"
    )
    assert ["int_campuses__classified__dbt_backup"] in [names for (names,) in found]
    assert any("int_campus_users__classified" in names for (names,) in found)


@contextmanager
def building(database: dict[str, str]) -> Iterator[None]:
    """A bare `dbt build` at work, as a person starts it."""
    process = subprocess.Popen(
        [ROOT / "bin" / "dbt", "build"],
        cwd=ROOT,
        env={**os.environ, **database},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    at_work = (
        "select from pg_locks join pg_stat_activity using (pid) "
        "where locktype = 'advisory' and granted and classid = 42 and objid = 21 "
        "and starts_with(application_name, 'fortytwo-mirror build ')"
    )
    try:
        wait_for(lambda: sql(at_work) or process.poll() is not None, "dbt to take the lock")
        assert process.poll() is None, "dbt ended"
        yield
    finally:
        process.kill()
        process.wait()


def test_while_a_bare_build_is_at_work_nothing_else_that_writes_begins(
    database: dict[str, str], dbt_target: Path
) -> None:
    with building(database):
        for mode in ("full", "live", "backfill", "erase", "restore", "backup"):
            busy = pytest.raises(BusyError, match=r"Another run holds the lock: .* build ")
            with busy, run_lock(mode, new_run_id()):
                pass
        second = run_program(ROOT / "bin" / "dbt", "build")

    assert second.returncode == 75
    assert "Another run holds the lock" in second.stderr


@pytest.mark.parametrize("mode", ["full", "erase", "restore"])
def test_while_a_run_is_at_work_no_bare_build_begins(database: dict[str, str], mode: str) -> None:
    with run_lock(mode, new_run_id()) as connection:
        create_schema(connection)
        done = run_program(ROOT / "bin" / "dbt", "build")

    assert done.returncode == 75
    assert f"fortytwo-mirror {mode}" in done.stderr
