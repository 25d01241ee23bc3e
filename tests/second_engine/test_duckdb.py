"""The models on DuckDB: over a copy of raw, every table and report as on PostgreSQL, row by row.

What is compared is the whole path: the real extraction from the sandbox into PostgreSQL, dlt's copy
of raw into DuckDB, and dbt with each engine's adapter.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from extract.base.settings import duckdb_file
from extract.load.copy import copy
from tests.second_engine.comparison import Found, assert_same_as_on_postgresql, build

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("second_engine")]


@pytest.mark.usefixtures("database")
def test_every_table_and_report_is_the_same_on_duckdb(tmp_path: Path) -> None:
    copy("duckdb")
    build("duckdb", tmp_path / "dbt")
    with duckdb.connect(duckdb_file(), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")

        def query(text: str) -> Found:
            cursor = connection.execute(text)
            return [column[0] for column in cursor.description], iter(cursor.fetchone, None)

        assert_same_as_on_postgresql(query)


@pytest.mark.parametrize("loads", [[], [("1", 0), ("copy", 1)]])
def test_nothing_is_built_over_a_copy_that_was_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loads: list[tuple[str, int]]
) -> None:
    monkeypatch.setenv("FORTYTWO_DUCKDB", str(tmp_path / "copy.duckdb"))
    with duckdb.connect(duckdb_file()) as connection:
        connection.execute("create schema raw")
        connection.execute("create table raw._dlt_loads (load_id text, status bigint)")
        for load in loads:
            connection.execute("insert into raw._dlt_loads values (?, ?)", load)

    with pytest.raises(AssertionError, match="The copy of raw was not finished"):
        build("duckdb", tmp_path / "dbt")
