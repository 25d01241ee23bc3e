"""The handbook keeps up with the code: every message, every link, every generated page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from extract.base import errors
from extract.tables import TABLES
from extract.tables.streams import STREAMS
from ops.site.catalog.contracts import read_contracts
from ops.site.catalog.dictionary import data_dictionary
from ops.site.docs import DICTIONARY
from ops.site.handbook import DOCS, anchor, chapters
from tests.helpers import ROOT

FAMILY = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.MirrorError)
}
GAP = "\0"
LEAST = 12  # characters of a message that must be in the handbook word by word
TROUBLESHOOT = DOCS / "troubleshoot.md"


def templates(node: ast.expr, module: ast.Module) -> list[str]:
    """The texts that a message may have, with GAP for what is filled in."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(templates(part, module)[0] for part in node.values)]
    if isinstance(node, ast.BinOp):
        left, right = templates(node.left, module), templates(node.right, module)
        return [f"{one}{other}" for one in left for other in right]
    if isinstance(node, ast.Name | ast.Call):
        return written_elsewhere(node, module) or [GAP]
    return [GAP]


def written_elsewhere(node: ast.Name | ast.Call, module: ast.Module) -> list[str]:
    """What a variable is set to, or a function returns, in the same module."""
    found: list[str] = []
    for other in ast.walk(module):
        if isinstance(node, ast.Name) and isinstance(other, ast.Assign):
            if any(getattr(target, "id", "") == node.id for target in other.targets):
                found += templates(other.value, module)
        elif isinstance(node, ast.Call) and isinstance(other, ast.FunctionDef):
            called = other.name == getattr(node.func, "id", "")
            for step in ast.walk(other) if called else ():
                if isinstance(step, ast.Return) and step.value is not None:
                    found += templates(step.value, module)
    return found


def messages() -> Iterator[tuple[str, str]]:
    """Place and text of every message that ends a command."""
    for package in ("extract", "ops"):
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ast.parse(path.read_text())
            for node in ast.walk(module):
                if isinstance(node, ast.Call) and node.args:
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    if name in FAMILY:
                        for text in templates(node.args[0], module):
                            yield f"{path.relative_to(ROOT)}:{node.lineno}", text
    yield from messages_outside_python()


def messages_outside_python() -> Iterator[tuple[str, str]]:
    """Those of dbt's macros, the Makefile and the shell scripts."""
    for path in sorted((ROOT / "dbt_project" / "macros").rglob("*.sql")):
        raised = (
            r"(?:raise_compiler_error\(|message = (?:format\()?)\s*'((?:[^']|'\s*(?:~\s*)?')+)'"
        )
        for match in re.finditer(raised, path.read_text()):
            text = re.sub(r"'\s*(?:~\s*)?'", "", match[1])
            text = re.sub(r"\{\{.*?(\}\}|$)|%s", GAP, text, flags=re.DOTALL)
            yield str(path.relative_to(ROOT)), text
    for path in (ROOT / "Makefile", *sorted((ROOT / "ops").glob("*.sh"))):
        said = r'echo "([^"]{20,})" >&2|\bfail(?: \d)? "((?:\$\([^)]*\)|\\.|[^"\\])+)"'
        for match in re.finditer(said, path.read_text(), re.DOTALL):
            text = (match[1] or match[2]).replace("\\\n", " ")
            text = re.sub(r"\$\$?(\([^)]*\)|\{[^}]*\}|\w+)", GAP, text)
            yield str(path.relative_to(ROOT)), text


def plain(text: str) -> str:
    return " ".join(text.replace("`", "").replace("\\", "").split())


def beginnings(text: str) -> list[str]:
    """What the handbook must have word by word: the first sentence, less what is filled in."""
    first = re.split(r"(?<=[.:]) ", plain(text), maxsplit=1)[0]
    parts = sorted((part.strip() for part in first.split(GAP)), key=len)
    return [part for part in parts if len(part) >= LEAST] or parts[-1:]


def test_every_message_is_in_the_handbook() -> None:
    handbook = plain(TROUBLESHOOT.read_text())
    found = [(place, beginnings(text)) for place, text in messages()]

    assert len(found) > 90
    unclear = [place for place, fragments in found if fragments == [""]]
    assert unclear == [], "this test cannot tell what the message says"
    missing = [
        f"{place}: {part}"
        for place, fragments in found
        for part in fragments
        if part not in handbook
    ]
    assert missing == [], "add them to docs/troubleshoot.md, with their cause and fix"


def test_every_check_is_in_the_handbook() -> None:
    section = (
        TROUBLESHOOT.read_text().partition("## What make check finds")[2].partition("\n## ")[0]
    )
    families = set()
    for path in (ROOT / "ops" / "checks").glob("*.py"):
        module = ast.parse(path.read_text())
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Result", "Result.of"):
                names = templates(node.args[0], module)
                families |= {re.split(rf"[.{GAP}]", name)[0] for name in names} - {""}

    assert families
    assert {name for name in families if f"`{name}`" not in section} == set()


def test_the_tables_of_a_stream_are_named_where_it_is_explained() -> None:
    rows = re.findall(r"^\| (\w+) \| (.*?) \|", (DOCS / "operate.md").read_text(), re.MULTILINE)
    named = {stream: set(re.findall(r"\w+", tables)) for stream, tables in rows}
    optional = [table for table in TABLES.values() if table.mirror and not table.essential]

    assert named.keys() >= STREAMS.keys()
    assert [table.name for table in optional if table.mirror not in named[table.stream]] == []


def test_the_data_dictionary_is_current(manifest: Path) -> None:
    assert DICTIONARY.read_text() == data_dictionary(read_contracts(manifest)), (
        "run: python -m ops data-dictionary"
    )


def test_the_names_of_the_rules_are_those_that_the_models_give(manifest: Path) -> None:
    models = ROOT / "dbt_project" / "models" / "intermediate"
    given = "".join(file.read_text() for file in models.glob("*.sql"))
    named = [name for rule in read_contracts(manifest).rules for name in rule.names]

    assert len(named) == len(set(named))
    assert [name for name in named if f"'{name}'" not in given] == []


def test_a_rule_is_a_sentence_without_what_stands_before_its_colon() -> None:
    models = (ROOT / "dbt_project" / "models" / "intermediate").glob("_int_*.yml")
    described = [
        " ".join(model["description"].split())
        for file in models
        for model in yaml.safe_load(file.read_text())["models"]
    ]
    rules = [text for text in described if text.startswith("Rule ")]

    assert len(rules) > 20
    assert [text for text in rules if not re.match(r"Rule \d+: ", text)] == []


@pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: chapter.name)
def test_links_of_the_handbook_lead_somewhere(chapter: object) -> None:
    text = re.sub(r"```.*?```", "", getattr(chapter, "text"), flags=re.DOTALL)  # noqa: B009
    broken = []
    for target, _, fragment in (
        link.partition("#") for link in re.findall(r"\]\(([^)\s]+)\)", text)
    ):
        if "://" in target:
            continue
        file = DOCS / target if target else DOCS / f"{getattr(chapter, 'name')}.md"  # noqa: B009
        if not file.exists():
            broken.append(target)
        elif fragment and file.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            if fragment not in {anchor(re.sub("[`*]", "", heading)) for heading in headings}:
                broken.append(f"{target}#{fragment}")
    assert broken == []


def test_every_command_of_the_handbook_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = {
        command
        for chapter in chapters()
        for command in re.findall(
            r"\bmake ([a-z]+(?:-[a-z]+)*)\b",
            " ".join(re.findall(r"`[^`]+`|```.*?```", chapter.text, re.DOTALL)),
        )
    }

    assert told - targets == set()


def test_the_first_queries_name_every_report() -> None:
    reports = (ROOT / "dbt_project" / "models" / "reports").rglob("*.sql")
    named = re.findall(r"data-dictionary\.md#(\w+)", (DOCS / "queries.md").read_text())

    assert {file.stem for file in reports if not file.stem.startswith("int_")} == set(named)


def test_the_index_says_what_each_chapter_is_for() -> None:
    assert [chapter.name for chapter in chapters() if not chapter.purpose] == ["index"]


def test_the_way_from_clone_to_schedule_is_five_commands() -> None:
    install = (DOCS / "install.md").read_text()
    section = install.partition("## Five commands")[2].partition("\n## ")[0]

    assert re.findall(r"^\*\*(\d)\.", section, re.MULTILINE) == list("12345")
    assert len(re.findall(r"^```sh$", section, re.MULTILINE)) == 5
    assert len(re.findall(r"\*Next:", section)) == 5
