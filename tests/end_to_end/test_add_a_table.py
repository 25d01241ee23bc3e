"""docs/add-a-table.md, done on a copy of the project: a table that nothing else needs to know."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.helpers import ROOT, run_module, sql

STEP = re.compile(
    r"^(?:In|New) `(?P<path>[^`]+)`(?P<place>, at the end|, (?:before|after) `(?P<text>[^`]+)`)?:"
    r"\n\n```\w+\n(?P<block>.*?)```",
    re.MULTILINE | re.DOTALL,
)


def do_what_it_says(project: Path) -> list[str]:
    """The files that the tutorial has changed or made."""
    page = (ROOT / "docs" / "add-a-table.md").read_text(encoding="utf-8")
    touched = []
    for step in STEP.finditer(page):
        file, block, place = project / step["path"], step["block"], step["place"] or ""
        touched.append(step["path"])
        if not place:
            assert not file.exists(), f"{file} is no new file"
            file.write_text(block, encoding="utf-8")
            continue
        before = file.read_text(encoding="utf-8")
        if "at the end" in place:
            after = before + block
        else:
            text = step["text"].replace("\\n", "\n")
            assert before.count(text) == 1, f"{text!r} in {file}"
            added = block + text if ", before" in place else f"{text}\n{block.rstrip()}"
            after = before.replace(text, added)
        file.write_text(after, encoding="utf-8")
    return touched


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    made = {".git", ".venv", ".local", "site", "target"}  # and ops/site is no made site

    def skipped(folder: str, names: list[str]) -> set[str]:
        return made & set(names) if folder == str(ROOT) else {"__pycache__"} & set(names)

    shutil.copytree(ROOT, project, ignore=skipped)
    (project / ".venv").symlink_to(ROOT / ".venv")
    return project


def run(project: Path, *arguments: str) -> str:
    done = run_module(*arguments, folder=project, NO_COLOR="1")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_table_of_the_tutorial_is_published_checked_documented_and_erasable(
    world: str, project: Path
) -> None:
    touched = do_what_it_says(project)
    assert len(set(touched)) <= 9, sorted(set(touched))

    run(project, "ruff", "format", "--check", "extract")
    run(project, "ops", "sync")

    [(listed,)] = sql("select count(*) from raw.groups_users")
    [(published,)] = sql("select count(*) from mirror.groups_users")
    [(left_out,)] = sql(
        "select count(*) from ops.rejected_rows where rule = 'groups_user_user_not_kept'"
    )
    assert published and left_out and listed == published + left_out
    assert sql(
        "select 1 from pg_constraint where contype = 'f' "
        "and conrelid = 'mirror.groups_users'::regclass"
    )
    assert "reconciles.groups_users" in run(project, "ops", "check", "--json")
    assert "groups_users" in run(project, "ops", "status")
    [(person,)] = sql("select min(user_id) from mirror.groups_users")
    run(project, "ops", "erase", "--id", str(person), "--confirm")
    for schema in ("raw", "marts", "mirror"):
        assert sql(f"select 1 from {schema}.groups_users where user_id = {person}") == []
    run(project, "ops", "check")
    run(project, "ops", "data-dictionary")
    tests = ("extract/test_tables", "dbt/test_models", "publication/test_refusals")
    files = [f"tests/{name}.py" for name in (*tests, "site/test_handbook")]
    chosen = "test_tables or plain_number or lost_on_the_way or data_dictionary"
    run(project, "pytest", "-q", *files, "-k", chosen)
    run(project, "ops", "sync")
    assert sql(f"select 1 from raw.groups_users where user_id = {person}") == []
