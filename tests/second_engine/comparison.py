"""Every table and report of two engines, row by row, value by value."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import yaml

from extract.programs import DBT
from extract.tables import TABLES as DECLARED
from extract.tables import UNKNOWN_FIELDS
from tests.conftest import ROOT

TABLES = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]["published_tables"]
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
    "milestones_by_month",
    "project_outcomes",
    "students_by_level",
    "students_by_status",
    "upcoming_agenda",
    "working_time",
)
COMPARED = {
    **{
        f"raw.{name}": [
            *(c.name for c in contract.columns if c.name not in contract.set_apart),
            UNKNOWN_FIELDS,
        ]
        for name, contract in DECLARED.items()
    },
    "intermediate.int_rejected_rows": ["table_name", "key", "rule"],
    **{f"marts.{name}": ["*"] for name in TABLES},
    **{f"reports.{name}": ["*"] for name in REPORTS},
}
JSONB = 3802  # PostgreSQL's number of the type
Rows = Counter[tuple[str, ...]]
# Runs a query: the columns' names, and the rows.
Query = Callable[[str], tuple[Sequence[str], Sequence[Sequence[Any]]]]


def build(target: str, log: Path) -> None:
    """`dbt build` on a target of profiles.yml, all tests included."""
    done = subprocess.run(
        [*DBT, "--no-use-colors", "build", "--target", target],
        cwd=ROOT,
        env=os.environ | {"DBT_TARGET_PATH": str(log), "DBT_LOG_PATH": str(log)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def assert_same_as_on_postgresql(query: Query) -> None:
    """Hold every table, the rejected rows and every report against those in the database."""
    differing, empty = {}, []
    with psycopg2.connect("") as connection, connection.cursor() as cursor:
        cursor.execute("set timezone to 'UTC'")
        for table, columns in COMPARED.items():
            text = f"select {', '.join(columns)} from {table}"
            cursor.execute(text)
            names = [column.name for column in cursor.description or ()]
            json_columns = {c.name for c in cursor.description or () if c.type_code == JSONB}
            expected = Counter(comparable(names, row, json_columns) for row in cursor.fetchall())
            their_names, rows = query(text)
            found = Counter(comparable(their_names, row, json_columns) for row in rows)
            if expected != found:
                missing, more = list(expected - found)[:2], list(found - expected)[:2]
                differing[table] = {"PostgreSQL only": missing, "the other only": more}
            if not expected:
                empty.append(table)
    connection.close()

    assert differing == {}
    # whose blackhole is near depends on the day, and so does what is on
    assert set(empty) <= {"reports.blackhole_outlook", "reports.upcoming_agenda"}


def comparable(names: Sequence[str], row: Sequence[Any], json_columns: set[str]) -> tuple[str, ...]:
    """A row by column name: JSON without its spaces and order, numbers without their type."""
    values = []
    for name, value in sorted(zip(names, row, strict=True)):
        if name in json_columns and isinstance(value, str):
            value = json.loads(value)
        if isinstance(value, datetime):
            value = value.astimezone(UTC)
        if isinstance(value, date):  # or a datetime
            value = value.isoformat()
        if isinstance(value, Decimal):
            value = float(value)
        values.append(f"{name}: {json.dumps(value, sort_keys=True)}")
    return tuple(values)
