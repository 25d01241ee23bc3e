"""What dbt's manifest.json says about the data: tables, keys, rules, reports."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extract.base.errors import MirrorError

RULE = re.compile(r"^Rule (\d+): (.*?)(?:\s*Rules?(?:, in order)?: ([a-z_, ]+)\.)?$", re.DOTALL)
REFERENCE = re.compile(r"ref\('(\w+)'\)")


@dataclass(frozen=True)
class ForeignKey:
    """A column that names a row of another table."""

    column: str
    table: str
    target: str


@dataclass(frozen=True)
class Column:
    """A column as its contract describes it."""

    name: str
    data_type: str
    description: str
    not_null: bool

    @property
    def kind(self) -> str:
        """Its type and whether it is always filled, as people read them."""
        name = self.data_type.replace("timestamp with time zone", "timestamptz")
        return f"{name}, not null" if self.not_null else name


@dataclass(frozen=True)
class Table:
    """A table of `mirror` or a view of `reports`."""

    name: str
    description: str
    columns: list[Column]
    primary_key: list[str]
    foreign_keys: list[ForeignKey]

    @property
    def key_columns(self) -> list[str]:
        """Primary key first, then the other foreign keys, each once."""
        return list(dict.fromkeys([*self.primary_key, *(k.column for k in self.foreign_keys)]))

    @property
    def called(self) -> str:
        """The column by which a person knows a row."""
        columns = {column.name for column in self.columns}
        return next((name for name in ("login", "name") if name in columns), self.primary_key[0])

    def always_has(self, key: ForeignKey) -> bool:
        """Whether each row has the parent that a foreign key names."""
        return any(column.name == key.column and column.not_null for column in self.columns)


@dataclass(frozen=True)
class Rule:
    """A rule of the mirror and the names under which it leaves rows out."""

    number: int
    text: str
    names: list[str]


@dataclass(frozen=True)
class Contracts:
    """Everything the pages say about the data's shape."""

    tables: list[Table]
    reports: list[Table]
    rules: list[Rule]
    models: int = 0
    tests: int = 0
    unit_tests: int = 0
    exposures: list[dict[str, str]] = field(default_factory=list)

    def table(self, name: str) -> Table:
        """The table of that name."""
        return next(table for table in self.tables if table.name == name)


def read_contracts(manifest_file: Path) -> Contracts:
    """Read dbt's manifest.json.

    Raises:
        MirrorError: There is none, or it is not this project's.
    """
    try:
        manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
        nodes = list(manifest["nodes"].values())
    except (OSError, ValueError, KeyError) as error:
        raise MirrorError(
            f"dbt's manifest cannot be read from {manifest_file}: {error}. Run `make docs`, which "
            "makes it."
        ) from error
    tests = [node for node in nodes if node["resource_type"] == "test"]
    models = [node for node in nodes if node["resource_type"] == "model"]
    keys = _foreign_keys(tests)

    def layer(schema: str) -> list[Table]:
        return [
            _table(node, keys.get(node["unique_id"], []))
            for node in sorted(models, key=lambda node: str(node["name"]))
            if node["fqn"][1] == schema and node["config"]["materialized"] != "ephemeral"
        ]

    return Contracts(
        tables=_parents_first(layer("marts")),
        reports=layer("reports"),
        rules=sorted(_rules(models), key=lambda rule: (rule.number, rule.names)),
        models=len(models),
        tests=len(tests),
        unit_tests=len(manifest.get("unit_tests", {})),
        exposures=[
            {
                "name": exposure["label"] or exposure["name"],
                "description": _line(exposure["description"]),
                "reads": ", ".join(
                    sorted(key.split(".")[2] for key in exposure["depends_on"]["nodes"])
                ),
            }
            for exposure in manifest.get("exposures", {}).values()
        ],
    )


def _foreign_keys(tests: list[dict[str, Any]]) -> dict[str, list[ForeignKey]]:
    """Those of each model, by its unique name."""
    found: defaultdict[str, list[ForeignKey]] = defaultdict(list)
    for test in tests:
        metadata = test.get("test_metadata") or {}
        if metadata.get("name") == "relationships" and test.get("attached_node"):
            target = REFERENCE.search(metadata["kwargs"]["to"])
            if target:
                key = ForeignKey(test["column_name"], target[1], metadata["kwargs"]["field"])
                found[test["attached_node"]].append(key)
    return {node: sorted(keys, key=lambda key: key.column) for node, keys in found.items()}


def _table(node: dict[str, Any], keys: list[ForeignKey]) -> Table:
    primary_key = node["config"]["meta"].get("primary_key", [])
    columns = [
        Column(
            column["name"],
            column["data_type"] or "",
            _line(column["description"]),
            column["name"] in primary_key
            or any(constraint["type"] == "not_null" for constraint in column["constraints"]),
        )
        for column in node["columns"].values()
    ]
    description = re.sub(r"\s*Primary key:[^.]*\.", "", _line(node["description"]))
    return Table(node["name"], description, columns, primary_key, keys)


def _rules(models: list[dict[str, Any]]) -> Iterator[Rule]:
    texts = [_line(node["description"]) for node in models]
    for text in (part for whole in texts for part in re.split(r" (?=Rule \d+:)", whole)):
        if match := RULE.match(text):
            number, text, names = match.groups()
            listed = re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", names or "")
            yield Rule(int(number), text[0].upper() + text[1:], listed)


def _parents_first(tables: list[Table]) -> list[Table]:
    placed: list[Table] = []
    waiting = list(tables)
    while waiting:
        names = {table.name for table in placed}
        ready = [t for t in waiting if all(key.table in names for key in t.foreign_keys)]
        placed += ready or waiting
        waiting = [table for table in waiting if table not in placed]
    return placed


def _line(text: str) -> str:
    return " ".join(text.split())
