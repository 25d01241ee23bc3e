"""Rooms and references: a stranger finds a thing where its name says, and what is cited exists."""

from __future__ import annotations

import ast
import re
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import yaml

from extract.base.lock import COPY_LOCK, LOCK
from extract.tables import STUDENT_KIND, TABLES
from tests.helpers import ROOT, run_program

PACKAGES = ("extract", "ops", "sandbox")
MOST_FILES = 12
# a room imports from those that stand after it, never from those before (docs/how-it-works.md)
ORDER = ("passes", "load", "listing", "api", "people", "tables")
PLACE = re.compile(
    r"(?<![\w/.{<-])((?:docs|extract|ops|sandbox|tests|benchmarks|dbt_project|macros|models)"
    r"/[\w./-]*\w\.(?:py|sql|yml|md|sh|conf|toml))"
)
SECTION = re.compile(r"42-api\.md,? sections? (\d+(?:\.\d+)?)")


def tracked() -> list[Path]:
    listed = run_program("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    assert listed.returncode == 0, listed.stderr
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imports_of(path: Path, known: set[str]) -> set[str]:
    """The modules of this project that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if inner in known else node.module)
    return names & known


def graph() -> dict[str, set[str]]:
    found = modules()
    return {name: imports_of(path, set(found)) - {name} for name, path in found.items()}


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_rooms_of_extract_import_one_way() -> None:
    def room(module: str) -> int:
        parts = module.split(".")
        found = parts[1] if parts[0] == "extract" and len(parts) > 1 else ""
        if found in ("base", "embedded"):  # what everything stands on, the server included
            return len(ORDER)
        return ORDER.index(found) if found in ORDER else -1

    wrong = [
        f"{name} imports {other}"
        for name, others in graph().items()
        for other in others
        if name.startswith("extract.") and room(other) < room(name)
    ]
    assert wrong == []


def test_no_pass_has_a_branch_for_one_table() -> None:
    """How a table is read is declared: a further one adds a declaration and no branch."""
    found = set()
    for path in (ROOT / "extract" / "passes").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare):
                compared = [node.left, *node.comparators]
            else:
                compared = list(node.keys) if isinstance(node, ast.Dict) else []
            values = {one.value for one in compared if isinstance(one, ast.Constant)}
            found |= {(path.name, name) for name in values & TABLES.keys()}

    assert found == set()


def test_no_folder_has_more_files_than_a_reader_can_hold() -> None:
    counts = Counter(path.parent.relative_to(ROOT).as_posix() for path in modules().values())

    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_the_kind_of_a_student_is_written_once_in_python_and_once_in_dbt() -> None:
    project = yaml.safe_load((ROOT / "dbt_project.yml").read_text("utf-8"))
    kind = re.compile(rf"""['"]{STUDENT_KIND}['"]""")
    product = [path.relative_to(ROOT) for path in tracked() if path.suffix == ".py"]
    naming = [
        path.as_posix()
        for path in product
        if path.parts[0] in ("extract", "ops")
        for _ in kind.findall((ROOT / path).read_text("utf-8"))
    ]

    assert project["vars"]["student_kind"] == STUDENT_KIND
    assert naming == ["extract/tables/declarations.py"]


def test_each_advisory_lock_has_a_number_of_its_own_and_dbt_knows_that_of_runs() -> None:
    macros, product = (
        "".join(
            path.read_text("utf-8")
            for path in tracked()
            if path.suffix in (".sql", ".py") and part in path.parts
        )
        for part in ("macros", "extract")
    )
    taken = re.findall(r"pg_advisory_xact_lock\((\d+), (\d+)\)", macros + product)
    numbers = [LOCK, COPY_LOCK, *((int(space), int(number)) for space, number in taken)]

    assert taken
    assert sorted(set(numbers)) == sorted(numbers)
    assert "locks.classid = {} and locks.objid = {} ".format(*LOCK) in macros


def test_every_file_that_is_named_exists() -> None:
    there = {path.relative_to(ROOT).as_posix() for path in tracked()}
    missing = []
    for path in tracked():
        if path.suffix not in (".py", ".md", ".sql", ".yml", ".toml", ".sh", ".conf", "") or (
            path.name == "CHANGELOG.md"
        ):
            continue
        text = re.sub(r"^New `.*", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for place in PLACE.findall(text):
            relative = [place, f"dbt_project/{place}", f"tests/{place}"]
            if not any(name in there for name in relative):
                missing.append(f"{path.relative_to(ROOT)}: {place}")
    assert missing == []


def test_every_section_of_the_api_that_is_cited_exists() -> None:
    headings = re.findall(
        r"^#+ (\d+(?:\.\d+)?)\.? ",
        (ROOT / "docs" / "42-api.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    cited = {
        (path.relative_to(ROOT).as_posix(), section)
        for path in tracked()
        if path.suffix in (".py", ".md", ".sql", ".yml")
        for section in SECTION.findall(path.read_text(encoding="utf-8"))
    }

    assert cited
    assert {(path, section) for path, section in cited if section not in headings} == set()
