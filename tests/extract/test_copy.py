"""The copy of `raw` into another engine: exact, whole, and made anew each time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dlt.common.destination.exceptions import DestinationTerminalException
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob

from extract.base.errors import MirrorError, UsageError
from extract.base.settings import duckdb_file, local_directory
from extract.load.copy import copy
from tests.dbt.world import create_raw
from tests.helpers import sql

pytestmark = pytest.mark.usefixtures("database")


def copied(query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(duckdb_file(), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(query).fetchall()


def test_a_copy_of_an_earlier_version_is_refused() -> None:
    create_raw()
    sql("alter table raw.users drop column email")

    with pytest.raises(UsageError, match="is of an earlier version"):
        copy("duckdb")


@pytest.mark.slow
def test_a_copy_keeps_every_value_and_forgets_what_is_gone() -> None:
    create_raw()
    sql(
        "update raw.users set email = '', phone = null, first_name = e'\u00df\u6f22\n\"',"
        " wallet = 9827942872, created_at = '2024-05-27 09:14:02.117+00',"
        " image = '{\"link\": null}' where id = 7"
    )

    rows = copy("duckdb")

    assert Path(duckdb_file()).stat().st_mode & 0o077 == 0
    assert rows["users"] == 2
    assert rows["campus_achievements"] == 0
    assert copied(
        "select email, phone, first_name, wallet, created_at, image from raw.users where id = 7"
    ) == [
        (
            "",
            None,
            '\u00df\u6f22\n"',
            9827942872,
            datetime(2024, 5, 27, 9, 14, 2, 117000, UTC),
            '{"link": null}',
        )
    ]
    assert copied("select count(*) from raw.campus_achievements") == [(0,)]

    sql("delete from raw.users where id = 8")
    sql("truncate raw.coalitions")
    copy("duckdb")

    assert copied("select id from raw.users") == [(7,)]
    assert copied("select id from raw.coalitions") == []


def test_what_cannot_be_copied_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="nothing in `raw` to copy"):
        copy("duckdb")

    create_raw()

    with pytest.raises(UsageError, match="dlt cannot use the destination 'duckbd'"):
        copy("duckbd")

    with pytest.raises(UsageError, match="holds no tables in SQL"):
        copy("dummy")

    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", "s3://bucket/lake")
    with pytest.raises(UsageError, match=r"pip install 'dlt\[s3\]'"):
        copy("filesystem")

    file = tmp_path / "theirs.duckdb"
    file.write_text("of another program")
    monkeypatch.setenv("FORTYTWO_DUCKDB", str(file))
    with pytest.raises(UsageError, match=r"cannot be opened: .*not a valid DuckDB database file"):
        copy("duckdb")
    assert file.read_text() == "of another program"


@pytest.mark.slow
def test_a_copy_that_failed_in_between_is_on_record_until_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_raw()
    jobs: list[str] = []

    def fail(job: DuckDbCopyJob) -> None:
        jobs.append(job.job_file_info().table_name)
        if len(jobs) == 5:
            raise DestinationTerminalException("as if the machine went down")
        run(job)

    run = DuckDbCopyJob.run
    of_unfinished = "select count(*) filter (status = 0), count(*) filter (status <> 0) from "
    for complete in (0, 1):  # the first one of all, and a later one
        with monkeypatch.context() as patch:
            patch.setattr(DuckDbCopyJob, "run", fail)
            with pytest.raises(MirrorError, match="dlt's step 'load' failed"):
                copy("duckdb")
        assert copied(of_unfinished + "raw._dlt_loads") == [(complete, complete)]
        jobs.clear()

        assert copy("duckdb")["users"] == 2
        assert copied(of_unfinished + "raw._dlt_loads") == [(complete + 1, 0)]
        assert copied("select count(*) from raw.users") == [(2,)]


@pytest.mark.slow
def test_tables_of_others_in_the_destination_are_named_and_left_alone() -> None:
    create_raw()
    local_directory()  # whose file stands in the mirror's own folder
    with duckdb.connect(duckdb_file()) as theirs:
        theirs.execute("create schema raw; create table raw.users as select 1 as theirs")
        theirs.execute("create schema marts; create table marts.campuses as select 2 as theirs")
        theirs.execute(
            "create schema analytics; create table analytics.users as select 3 as theirs"
        )

    with pytest.raises(UsageError, match=r"raw\.users, marts\.campuses"):
        copy("duckdb")

    assert copied("select * from raw.users, marts.campuses, analytics.users") == [(1, 2, 3)]
    assert copied("select count(*) from duckdb_tables()") == [(3,)]

    with duckdb.connect(duckdb_file()) as theirs:
        theirs.execute("drop table raw.users; drop table marts.campuses")
    copy("duckdb")
    copy("duckdb")  # what is there now is ours
    assert copied("select theirs from analytics.users") == [(3,)]
