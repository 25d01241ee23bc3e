"""The models on DuckDB: over a copy of raw, every table and report as on PostgreSQL, row by row.

What is compared is the whole path: the real extraction from the sandbox into PostgreSQL, dlt's copy
of raw into DuckDB, and dbt with each engine's adapter.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
import yaml
from rich.console import Console

from extract import run as runs
from extract.base.lock import new_run_id, run_lock
from extract.load.copy import copy, duckdb_file
from extract.programs import DBT
from extract.progress import ExtractionProgress
from extract.tables import TABLES as DECLARED
from extract.tables import UNKNOWN_FIELDS
from extract.tables.streams import STREAMS
from ops.sync import dbt_build
from tests.conftest import ROOT
from tests.end_to_end.oracle import days_since

TABLES = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]["published_tables"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

REPORTS = (
    "achievement_rarity",
    "activity_by_hour",
    "blackhole_outlook",
    "cluster_occupancy",
    "coalition_standings",
    "coverage",
    "evaluations_by_week",
    "last_seen",
    "logtime_by_week",
    "project_outcomes",
    "students_by_level",
    "students_by_status",
    "upcoming_agenda",
)
Rows = Counter[tuple[str, ...]]


@pytest.fixture
def both_engines(
    start_sandbox: Callable[..., str],
    database: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[tuple[Any, duckdb.DuckDBPyConnection]]:
    """Connections to a PostgreSQL and a DuckDB that hold the same extraction, models built."""
    monkeypatch.setenv("FORTYTWO_API_URL", start_sandbox())
    monkeypatch.setenv("FORTYTWO_CLIENT_ID", "sandbox")
    monkeypatch.setenv("FORTYTWO_CLIENT_SECRET", "sandbox")
    monkeypatch.setenv("STREAMS", ",".join(STREAMS))
    for stream in ("SEATS", "EVALUATIONS"):
        monkeypatch.setenv(f"{stream}_RETENTION_DAYS", str(days_since(30)))
    for mode in ("full", "backfill"):
        run_id = new_run_id()
        with (
            run_lock(mode, run_id) as held,
            ExtractionProgress(Console(file=io.StringIO())) as progress,
        ):
            runs.extract(mode, progress=progress, connection=held, run_id=run_id)
    assert dbt_build(run_id) == 0
    copy("duckdb")
    built = subprocess.run(
        [*DBT, "--no-use-colors", "build", "--target", "duckdb"],
        cwd=ROOT,
        env=os.environ
        | {"DBT_TARGET_PATH": str(tmp_path / "duckdb"), "DBT_LOG_PATH": str(tmp_path / "duckdb")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-4000:]
    postgres = psycopg2.connect("")
    duck = duckdb.connect(duckdb_file(), read_only=True)
    yield postgres, duck
    duck.close()
    postgres.close()


def test_every_table_and_report_is_the_same_on_both_engines(
    both_engines: tuple[Any, duckdb.DuckDBPyConnection],
) -> None:
    compared = {
        **{
            f"raw.{name}": [
                *(c.name for c in contract.columns if c.name not in contract.set_apart),
                UNKNOWN_FIELDS,
            ]
            for name, contract in DECLARED.items()
        },
        "intermediate.int_rejected_rows": ["table_name", "key", "rule"],
        **{f"marts.{name}": [] for name in TABLES},
        **{f"reports.{name}": [] for name in REPORTS},
    }
    differing, empty = {}, []
    for table, columns in compared.items():
        query = f"select {', '.join(columns) or '*'} from {table}"
        expected, found = on_postgres(both_engines[0], query), on_duckdb(both_engines[1], query)
        if expected != found:
            missing, more = list(expected - found)[:2], list(found - expected)[:2]
            differing[table] = {"PostgreSQL only": missing, "DuckDB only": more}
        if not expected:
            empty.append(table)

    assert differing == {}
    # whose blackhole is near depends on the day, and so does what is on
    assert set(empty) <= {"reports.blackhole_outlook", "reports.upcoming_agenda"}


def on_postgres(connection: Any, query: str) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute("set timezone to 'UTC'")
        cursor.execute(query)
        names = [column.name for column in cursor.description]
        return Counter(comparable(names, row, set()) for row in cursor.fetchall())


def on_duckdb(connection: duckdb.DuckDBPyConnection, query: str) -> Rows:
    connection.execute("set TimeZone = 'UTC'")
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    json_columns = {column[0] for column in cursor.description if column[1] == "JSON"}
    return Counter(comparable(names, row, json_columns) for row in cursor.fetchall())


def comparable(names: list[str], row: tuple[Any, ...], json_columns: set[str]) -> tuple[str, ...]:
    """A row by column name: JSON without its spaces and order, numbers without their type."""
    values = []
    for name, value in sorted(zip(names, row, strict=True)):
        if name in json_columns and value is not None:
            value = json.loads(value)
        if isinstance(value, date):  # or a datetime
            value = value.isoformat()
        if isinstance(value, Decimal):
            value = float(value)
        values.append(f"{name}: {json.dumps(value, sort_keys=True)}")
    return tuple(values)
