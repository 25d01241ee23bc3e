"""What a sync asks of dbt."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection
from rich.console import Console

from extract.base.query import execute
from extract.load.signature import models_digest
from extract.programs import SIGNATURE, leave_out_proven_unit_tests
from extract.run import Extracted
from extract.tables import TABLES, streams_on
from ops.status.summary import print_summary
from ops.sync import _what_failed
from ops.upkeep.logs import failures


@pytest.mark.parametrize(
    ("published", "arguments", "left_out"),
    [
        ("", [], False),  # nothing is published, or by another dbt
        ("edited", [], False),
        ("these", [], True),
        ("these", ["--quiet"], True),
        ("these", ["--select", "users"], False),
        ("these", ["--resource-type", "unit_test"], False),
        ("these", ["--vars", "{student_kind: staff}"], False),
    ],
)
def test_unit_tests_run_until_the_models_they_prove_are_published(
    published: str,
    arguments: list[str],
    left_out: bool,
    ops: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signature = {"models": models_digest()}
    known = signature if published == "these" else {"models": published}
    execute(
        ops,
        "insert into ops.runs (run_id, mode, status, published_at, raw_signature) "
        "values ('a', 'build', 'published', now(), %s)",
        (json.dumps(known) if published else None,),
    )
    monkeypatch.setattr("sys.argv", ["dbt", "build", *arguments])
    monkeypatch.setenv(SIGNATURE, "")
    monkeypatch.setenv("DBT_EXCLUDE_RESOURCE_TYPES", "")

    leave_out_proven_unit_tests(ops)

    assert (os.environ["DBT_EXCLUDE_RESOURCE_TYPES"] == "unit_test") is left_out
    # a build of which a part is left out proves nothing
    is_whole = not arguments or arguments == ["--quiet"]
    assert os.environ[SIGNATURE] == (json.dumps(signature) if is_whole else "")


@pytest.mark.parametrize(("marks", "is_said"), [(0, True), (5, False)])
def test_whoever_sees_empty_tables_reads_how_they_fill(
    ops: Connection, marks: int, is_said: bool
) -> None:
    filled = {table.mirror: 5 for table in TABLES.values() if table.stream in streams_on()}
    rows = {**filled, "locations": 0, "projects_users": marks}
    execute(
        ops,
        "insert into ops.runs (run_id, mode, status, rows) values ('a', 'full', 'published', %s)",
        (json.dumps(rows),),
    )
    said = io.StringIO()

    print_summary(ops, "a", Extracted("a", "full"), Console(file=said, width=200))

    assert ("MODE=backfill" in said.getvalue()) is is_said


def results(*found: tuple[str, str, str, int | None]) -> str:
    return json.dumps(
        {
            "results": [
                {"unique_id": name, "status": status, "message": message, "failures": failed}
                for name, status, message, failed in found
            ]
        }
    )


def test_what_failed_in_a_build_is_named_without_data(tmp_path: Path) -> None:
    (tmp_path / "run_results.json").write_text(
        results(
            ("model.mirror.users", "success", "SELECT 3", None),
            (
                "model.mirror.campuses",
                "error",
                "Database Error in model campuses (campuses.sql)\n"
                '  invalid input syntax for type integer: "jdoe"\n  LINE 1: jdoe',
                None,
            ),
            ("test.mirror.unique_users_login.0a1b", "fail", "Got 3 results", 3),
            (
                "operation.mirror.mirror-on-run-end-0",
                "error",
                "Compilation Error\n  Nothing was published: it would delete 40 rows.",
                None,
            ),
            (
                "operation.mirror.mirror-on-run-end-1",
                "error",
                'Database Error\n  update or delete on table "users" violates foreign key '
                'constraint "notes_user_id_fkey" on table "notes"\n  DETAIL:  Key (login)=(jdoe).',
                None,
            ),
        )
    )

    assert failures(tmp_path, 0) == [
        'model campuses (invalid input syntax for type integer: "…")',
        "test unique_users_login (3 rows)",
        "operation mirror-on-run-end-0 (Nothing was published: it would delete 40 rows)",
        'operation mirror-on-run-end-1 (update or delete on table "users" violates foreign key '
        'constraint "notes_user_id_fkey" on table "notes")',
    ]
    assert failures(tmp_path, time.time() + 60) == []


def test_a_build_that_names_nothing_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))

    assert _what_failed(137, 0) == "dbt ended with status 137 and named no model or test"


def test_what_stops_a_build_before_it_begins_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path))
    (tmp_path / "dbt.log").write_text(
        """
============================== 18:06:15.783837 | 8b6e ==============================
18:06:44.041121 [error] [MainThread]: Encountered an error:
Compilation Error
  This was another run.
============================== 19:06:15.783837 | d5cc ==============================
19:06:15.783837 [info ] [MainThread]: Running with dbt=1.11.16
19:06:44.041121 [error] [MainThread]: Encountered an error:
Compilation Error
  Model 'stg_titles' depends on a source named 'titles' which was not found.

  > in macro source
19:06:44.051121 [info ] [MainThread]: Done
"""
    )

    assert _what_failed(2, 0) == (
        "dbt ended with status 2: Compilation Error "
        "Model 'stg_titles' depends on a source named 'titles' which was not found"
    )
