"""docs/queries.md: each query answers on a mirror that was read and published."""

from __future__ import annotations

import io
import re
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from rich.console import Console

from ops.sync import sync
from tests.end_to_end.test_mirror_equals_truth import extract

QUERIES = Path(__file__).resolve().parents[2] / "docs" / "queries.md"


@pytest.mark.slow
def test_every_query_of_the_handbook_runs_for_a_reader(world: str, connection: Connection) -> None:
    extract("full")
    sync("backfill", console=Console(file=io.StringIO()))
    questions = re.findall(
        r"^### (.+?)\n\n```sql\n(.+?)```", QUERIES.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    wrong, empty = {}, []
    with connection.cursor() as cursor:
        cursor.execute("set role mirror_reader")
        for question, query in questions:
            try:
                cursor.execute(query)
            except psycopg2.Error as error:
                wrong[question] = str(error)
            else:
                empty += [question] * (not cursor.fetchall())

    assert len(questions) >= 20
    assert wrong == {}
    # nobody need be new, near the blackhole or at work on one project in a small world
    assert len(empty) <= 4, empty
