"""SQL is written out or composed of quoted identifiers; the reliability document is up to date."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.faults import table
from tests.helpers import ROOT

EXECUTES = {
    "execute",
    "executemany",
    "execute_values",
    "copy_expert",
    "_execute",
    "_rows",
    "mogrify",
}


def built_from_text(node: ast.expr) -> bool:
    """Whether an expression puts text together: f-string, %, + or str.format."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mod, ast.Add)):
        return any(map(built_from_text, (node.left, node.right))) or not all(
            isinstance(side, ast.Constant) for side in (node.left, node.right)
        )
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        receiver = node.func.value
        is_text = isinstance(receiver, (ast.Constant, ast.JoinedStr))
        return node.func.attr in ("format", "join", "replace") and is_text
    return False


def suspects(source: str) -> Iterator[int]:
    """Lines that execute SQL which was put together as text."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, (ast.FunctionDef, ast.Module)):
            continue
        texts = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and built_from_text(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name not in EXECUTES:
                continue
            for argument in node.args[:2]:
                named = isinstance(argument, ast.Name) and argument.id in texts
                if named or built_from_text(argument):
                    yield node.lineno


def test_the_search_finds_what_it_is_for() -> None:
    assert list(suspects("cursor.execute(f'select {x}')")) == [1]
    assert list(suspects("cursor.execute('select %s' % x)")) == [1]
    assert list(suspects("def f():\n    q = 'drop ' + x\n    cursor.execute(q)"))
    assert not list(suspects("cursor.execute('select %s', (x,))"))
    assert not list(suspects("cursor.execute(sql.SQL('select {}').format(sql.Identifier(x)))"))


def test_sql_is_never_put_together_as_text() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for package in ("extract", "ops")
        for path in sorted((ROOT / package).rglob("*.py"))
        for line in suspects(path.read_text(encoding="utf-8"))
    }
    assert not found


def test_the_document_has_the_outcomes_of_this_suite() -> None:
    document = table.DOCUMENT.read_text(encoding="utf-8")
    assert table.written(document) == document, "run: python -m tests.faults.table --write"


def test_every_test_that_the_document_names_exists() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    there = set(re.findall(r"^def (test_\w+)", "\n".join(sources), re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", table.DOCUMENT.read_text(encoding="utf-8")))
    assert named and named <= there
