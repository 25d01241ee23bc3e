"""A database that version 0.1 made is taken over by this one."""

from __future__ import annotations

import lzma
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from extract.programs import program
from tests.helpers import api, run_module, sql

# pg_dump of a mirror of the small sandbox, as of commit 1a75c3f; all people in it are invented
DUMP = Path(__file__).with_name("version_0_1.sql.xz")


def past() -> set[tuple[object, ...]]:
    """What only the old database knows: its runs, and every version in the history."""
    return set(
        sql("""
            select 'run', run_id from ops.runs
            union all select 'users', dbt_scd_id from snapshots.users_history
        """)
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_database_of_the_previous_version_is_upgraded_by_a_sync(
    database: dict[str, str], start_sandbox: Callable[..., str]
) -> None:
    role = b"do 'begin create role mirror_reader; exception when duplicate_object then end';"
    subprocess.run(
        [program("psql"), "-Xqv", "ON_ERROR_STOP=1"],
        input=role + lzma.decompress(DUMP.read_bytes()),
        check=True,
    )
    before = past()
    settings = api(start_sandbox())
    settings["ALLOW_DELETES"] = "1"  # the sandbox has invented other projects since

    for command in (["sync"], ["check", "--sample", "0"]):
        done = run_module("ops", *command, **settings)
        assert done.returncode == 0, done.stdout + done.stderr

    assert len(before) > 300 and past() > before
