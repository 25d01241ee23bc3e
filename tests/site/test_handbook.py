"""The handbook keeps up with the code: every message, every link, every generated page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from extract import errors
from ops.docs import DICTIONARY
from ops.site.contracts import read_contracts
from ops.site.dictionary import data_dictionary
from ops.site.handbook import DOCS, anchor, chapters
from tests.site.conftest import ROOT

FAMILY = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.MirrorError)
}
GAP = "\0"
LEAST = 12  # characters of a message that must be in the handbook word by word
TROUBLESHOOT = DOCS / "troubleshoot.md"


def template(node: ast.expr) -> str:
    """A message's text, with GAP for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return template(node.left) + template(node.right)
    return GAP


def messages() -> Iterator[tuple[str, str]]:
    """Place and text of every message that ends a command."""
    for package in ("extract", "ops"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and node.args:
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    if name in FAMILY:
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", template(node.args[0])
    for path in sorted((ROOT / "dbt_project" / "macros").rglob("*.sql")):
        for match in re.finditer(r"'(Nothing was published: [^']+)", path.read_text()):
            text = re.sub(r"\{\{.*?(\}\}|$)|%s", GAP, match[1], flags=re.DOTALL)
            yield str(path.relative_to(ROOT)), text


def plain(text: str) -> str:
    return " ".join(text.replace("`", "").replace("\\", "").split())


@pytest.mark.parametrize(("place", "text"), list(messages()), ids=lambda value: value[:60])
def test_every_message_is_in_the_handbook(place: str, text: str) -> None:
    handbook = plain(TROUBLESHOOT.read_text())
    first = re.split(r"(?<=[.:]) ", plain(text), maxsplit=1)[0]
    fragments = [part.strip() for part in first.split(GAP) if len(part.strip()) >= LEAST]

    missing = [part for part in fragments if part not in handbook]

    assert missing == [], f"{place}: add it to docs/troubleshoot.md, with its cause and fix"


def test_the_messages_are_found() -> None:
    assert len(list(messages())) > 60


def test_the_data_dictionary_is_current(manifest: Path) -> None:
    assert DICTIONARY.read_text() == data_dictionary(read_contracts(manifest)), (
        "run: python -m ops data-dictionary"
    )


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


def test_the_way_from_clone_to_schedule_is_five_commands() -> None:
    install = (DOCS / "install.md").read_text()
    section = install.partition("## Five commands")[2].partition("\n## ")[0]

    assert re.findall(r"^\*\*(\d)\.", section, re.MULTILINE) == list("12345")
    assert len(re.findall(r"^```sh$", section, re.MULTILINE)) == 5
    assert len(re.findall(r"\*Next:", section)) == 5
