"""Where figures come from: endpoints, tables of `mirror`, reports, as dbt's manifest has them.

Tables are grouped by their stream: the picture stays small however many there are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from extract.tables import TABLES
from extract.tables.streams import ESSENTIAL, STREAMS

OWN = re.compile(r"int_(\w+)__\w+|(\w+)_history")  # the table whose rule or history a model has
HISTORY = "History"


@dataclass(frozen=True)
class Node:
    """A box of the picture.

    Attributes:
        key: Its element on the page.
        lines: What it stands for, each with the place in the data dictionary that tells more.
        parents: Keys of the nodes that it is made of.
    """

    key: str
    title: str
    about: str
    lines: dict[str, str]
    parents: list[str]


@dataclass(frozen=True)
class Lineage:
    """The nodes, left to right."""

    endpoints: list[Node]
    tables: list[Node]
    reports: list[Node]

    @property
    def edges(self) -> list[tuple[str, str]]:
        """From parent to child."""
        nodes = [*self.tables, *self.reports]
        return [(parent, node.key) for node in nodes for parent in node.parents]


def read_lineage(manifest: dict[str, Any]) -> Lineage:
    """The picture that dbt's manifest.json gives."""
    nodes = {**manifest["nodes"], **manifest["sources"]}
    layer = {key: node["fqn"][1] for key, node in nodes.items() if node["resource_type"] == "model"}
    marts = {nodes[key]["name"]: key for key, name in layer.items() if name == "marts"}
    made_of = {
        name: [nodes[key]["name"] for key in _sources(nodes, key, name, marts)]
        for name, key in marts.items()
    }
    group = {name: _group(name, sources) for name, sources in made_of.items()}
    order = list(dict.fromkeys(_title(name) for name in TABLES))
    used = [title for title in order if title in group.values()]

    def rows(title: str) -> list[str]:
        return sorted(name for name in marts if group[name] == title)

    tables, endpoints = [], []
    for title in used:
        read = {source: name for name in rows(title) for source in reversed(made_of[name])}
        own = [name for name in TABLES if name in read]
        parents = {_title(source) for name in rows(title) for source in made_of[name]}
        paths = {
            f"/v2{TABLES[name].path}": TABLES[name].mirror or read[name]
            for name in own
            if _title(name) == title
        }
        about = next((s.holds for s in STREAMS.values() if s.name == title.lower()), "")
        endpoints.append(Node(f"api-{title}", title, about, paths, []))
        known = [f"api-{parent}" for parent in used if parent in parents]
        tables.append(Node(f"mirror-{title}", title, "", {n: n for n in rows(title)}, known))

    reports: dict[str, set[str]] = {}
    lines: dict[str, dict[str, str]] = {}
    for key, name in layer.items():
        node = nodes[key]
        if name == "reports" and node["config"]["materialized"] != "ephemeral":
            title = HISTORY if "history" in node["fqn"] else node["name"]
            reports.setdefault(title, set()).update(_marts(nodes, key, marts))
            lines.setdefault(title, {})[node["name"]] = node["name"]
    found = []
    for title, read_marts in reports.items():
        parents = {group[name] for name in read_marts}
        known = [f"mirror-{parent}" for parent in used if parent in parents]
        found.append(Node(f"report-{title}", title, "", dict(sorted(lines[title].items())), known))
    place = {node.key: number for number, node in enumerate(tables)}

    def middle(node: Node) -> float:
        return sum(place[parent] for parent in node.parents) / max(1, len(node.parents))

    found.sort(key=lambda node: (middle(node), node.key))
    return Lineage(endpoints, tables, found)


def _title(source: str) -> str:
    """The group of a raw table: its stream; of the essential one, whether it is about students."""
    table = TABLES[source]
    if table.stream != ESSENTIAL:
        return table.stream.capitalize()
    return "Students" if table.person else "Reference"


def _group(name: str, sources: list[str]) -> str:
    own = [source for source in sources if TABLES[source].mirror == name]
    return _title((own or sources)[0])


def _parents(node: dict[str, Any]) -> list[str]:
    return list(node.get("depends_on", {}).get("nodes", []))


def _sources(nodes: dict[str, Any], key: str, mart: str, marts: dict[str, str]) -> dict[str, None]:
    """The raw tables of a mart, but not those of the tables that its rule looks into."""
    found: dict[str, None] = {}
    for parent in _parents(nodes[key]):
        node = nodes[parent]
        if node["resource_type"] == "source":
            found |= {parent: None} if node["name"] in TABLES else {}
            continue
        about = OWN.fullmatch(node["name"])
        if parent not in marts.values() and (not about or about[1] == mart):
            found |= _sources(nodes, parent, mart, marts)
    return found


def _marts(nodes: dict[str, Any], key: str, marts: dict[str, str]) -> Iterator[str]:
    """The tables of `mirror` that a report reads, of a history the table whose it is."""
    for parent in _parents(nodes[key]):
        node = nodes[parent]
        about = OWN.fullmatch(node["name"])
        if parent in marts.values():
            yield node["name"]
        elif about and about[2] in marts:
            yield about[2]
        elif node["resource_type"] == "model" and node["fqn"][1] == "reports":
            yield from _marts(nodes, parent, marts)
