"""Reports are views that readers build on: they last, whatever builds and definitions do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from tests.conftest import DATABASE, Parsed
from tests.dbt.world import create_raw, dbt
from tests.helpers import set_variables, sql
from tests.publication.conftest import (
    copy_database,
    copy_project,
    drop_database,
    keep_database,
)

REPORT = "students_by_level"
LAST_CHANGE = "select ev_class, xmin::text from pg_rewrite where ev_class = 'reports.%s'::regclass"


@pytest.fixture(scope="module")
def reported(
    postgres_server: dict[str, str],
    parsed_project: Parsed,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The name of a database in which a run has made an empty mirror and the report."""
    target = tmp_path_factory.mktemp("reported")
    shutil.copy(parsed_project.memory, target)
    copy_database(postgres_server, "template0")
    with pytest.MonkeyPatch.context() as patch:
        set_variables(patch, {**postgres_server, "PGDATABASE": DATABASE})
        patch.setenv("DBT_TARGET_PATH", str(target))
        create_raw()
        built = dbt("--quiet", "run", "--select", f"+{REPORT}")
    assert built.success, built.output
    kept = keep_database(postgres_server)
    yield kept
    drop_database(postgres_server, kept)


@pytest.fixture
def project(
    reported: str, postgres_server: dict[str, str], dbt_target: Path, tmp_path: Path
) -> Path:
    """A copy of the dbt project, to be edited, and of that database."""
    copy_database(postgres_server, reported)
    return copy_project(tmp_path / "project")


def run(project: Path, *arguments: str) -> str:
    """What a `dbt run` of the report complains of."""
    result = dbt("--quiet", "run", "--select", REPORT, *arguments, project=project)
    return "" if result.success else result.output


def edit(project: Path, old: str, new: str, suffix: str = ".sql") -> None:
    path = project / "dbt_project" / "models" / "reports" / f"{REPORT}{suffix}"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.slow
def test_an_unchanged_report_is_not_touched_and_waits_for_nobody(project: Path) -> None:
    before = sql(LAST_CHANGE % REPORT)
    reader = psycopg2.connect("")
    reader.cursor().execute(f"select * from reports.{REPORT}")

    complaint = run(project)
    emptied = run(project, "--empty")

    reader.close()
    assert (complaint, emptied) == ("", "")
    assert sql(LAST_CHANGE % REPORT) == before


@pytest.mark.slow
def test_a_new_description_reaches_a_view_that_is_not_touched(project: Path) -> None:
    before = sql(LAST_CHANGE % REPORT)
    edit(project, "Those of them who are flagged active.", "Today's actives.", ".yml")

    complaint = run(project)

    assert complaint == ""
    assert sql(
        "select col_description(attrelid, attnum) from pg_attribute "
        f"where attrelid = 'reports.{REPORT}'::regclass and attname = 'active_students'"
    ) == [("Today's actives.",)]
    assert sql(LAST_CHANGE % REPORT)[0][0] == before[0][0]


@pytest.mark.slow
def test_a_report_may_gain_a_column_under_its_readers(project: Path) -> None:
    sql("create role dashboard")
    sql(f"grant select on reports.{REPORT} to dashboard")
    sql(f"create view public.mine as select * from reports.{REPORT}")
    edit(project, "as active_students\n", "as active_students,\n        1 as novelty\n")

    complaint = run(project)

    assert complaint == ""
    assert sql(f"select novelty from reports.{REPORT}") == []
    assert sql("select students from public.mine") == []
    assert sql(f"select has_table_privilege('dashboard', 'reports.{REPORT}', 'select')") == [
        (True,)
    ]
    sql("drop owned by dashboard")
    sql("drop role dashboard")


@pytest.mark.slow
def test_a_report_loses_no_column_that_a_reader_uses(project: Path) -> None:
    sql(f"create view public.mine as select active_students from reports.{REPORT}")
    before = sql(LAST_CHANGE % REPORT)
    edit(
        project,
        "as students,\n        count(*) filter (where active) as active_students\n",
        "as students\n",
    )
    description = "Those of them who are flagged active."
    documented = f"      - name: active_students\n        description: {description}\n"
    edit(project, documented, "", ".yml")

    refused = run(project)
    sql("drop view public.mine")
    done = run(project)

    assert "view mine depends on view reports.students_by_level" in refused
    assert sql("select to_regclass('public.mine')") == [(None,)]
    assert done == ""
    assert sql(LAST_CHANGE % REPORT) != before


@pytest.mark.slow
def test_what_an_earlier_version_built_as_a_table_becomes_a_view(project: Path) -> None:
    name = "intermediate.int_cursus_users__classified"
    sql(f"drop view {name} cascade")
    sql(f"create table {name} as select 1 as id")
    sql(f"create view intermediate.int_earlier as select * from {name}")
    sql(f"comment on table {name} is '[fortytwo-mirror]'")
    sql("comment on view intermediate.int_earlier is '[fortytwo-mirror]'")

    built = dbt("--quiet", "run", "--select", "int_cursus_users__classified", project=project)

    assert built.success, built.output
    assert sql(f"select relkind from pg_class where oid = '{name}'::regclass") == [("v",)]
