"""The entity-relationship diagram: where its boxes and lines lie, from the contracts.

Every box is a table, every line a real foreign key of `mirror`. Colours come from the page's
stylesheet, so the picture follows its dark and light themes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from ops.site.catalog.contracts import Contracts, ForeignKey, Table

WIDTH, GAP_X, GAP_Y = 216, 86, 26
HEAD, ROW, FOOT, TOP = 34, 23, 26, 34


@dataclass
class Box:
    """A table's place on the picture."""

    table: Table
    x: float
    y: float

    @property
    def height(self) -> float:
        """Head, a row for each key column, foot."""
        return HEAD + ROW * len(self.table.key_columns) + FOOT

    def row(self, column: str) -> float:
        """The height of a key column's middle."""
        return self.y + HEAD + ROW * (self.table.key_columns.index(column) + 0.5)


@dataclass(frozen=True)
class Edge:
    """A foreign key as a line from its table to another one's edge at `x`, `y`."""

    child: Table
    key: ForeignKey
    path: str
    x: float
    y: float


def diagram(contracts: Contracts, rows: Mapping[str, int]) -> dict[str, Any]:
    """What the template erd.svg.j2 draws; `rows` are the row counts, as far as known."""
    boxes = _arranged(contracts.tables)
    placed = {box.table.name: box for box in boxes}
    tops = cycle((8, 16, 24))
    edges = [
        _edge(box, placed[key.table], key, tops)
        for box in boxes
        for key in box.table.foreign_keys
        if key.table in placed
    ]
    return {
        "boxes": boxes,
        "edges": edges,
        "rows": rows,
        "width": max(box.x for box in boxes) + WIDTH + 2,
        "height": max(box.y + box.height for box in boxes) + 2,
        "box_width": WIDTH,
        "head": HEAD,
    }


def _arranged(tables: list[Table]) -> list[Box]:
    """Four columns: link tables, what stands alone, relations, and the hub they refer to.

    So nearly every line runs between neighbours. The hub is the table with foreign keys of its own
    that most tables refer to: users.
    """
    referring: dict[str, list[str]] = {table.name: [] for table in tables}
    for table in tables:
        for key in table.foreign_keys:
            referring.setdefault(key.table, []).append(table.name)
    roots = sorted(
        (table for table in tables if not table.foreign_keys),
        key=lambda table: (-len(referring[table.name]), table.name),
    )
    dependent = [table for table in tables if table.foreign_keys]
    hub = max(dependent, key=lambda table: len(referring[table.name]), default=None)
    hubs = [hub] if hub else []
    order = {table.name: position for position, table in enumerate(roots)}

    def place(table: Table) -> tuple[float, str]:
        known = [order[key.table] for key in table.foreign_keys if key.table in order]
        return (sum(known) / len(known) if known else 0.0, table.name)

    others = [table for table in dependent if table is not hub]
    relations = [t for t in others if hub and hub.name in {k.table for k in t.foreign_keys}]
    links = [table for table in others if table not in relations]
    columns = [sorted(links, key=place), roots, sorted(relations, key=place), hubs]
    boxes: list[Box] = []
    columns = [column for column in columns if column]
    heights = [_column_height(column) for column in columns]
    for number, column in enumerate(columns):
        y = TOP + (max(heights) - heights[number]) / 2
        for table in column:
            box = Box(table, number * (WIDTH + GAP_X), y)
            boxes.append(box)
            y += box.height + GAP_Y
    return boxes


def _column_height(column: list[Table]) -> float:
    return sum(Box(table, 0, 0).height for table in column) + GAP_Y * (len(column) - 1)


def _edge(child: Box, parent: Box, key: ForeignKey, tops: Iterator[int]) -> Edge:
    start, end = child.row(key.column), parent.row(key.target)
    below, right = child.x == parent.x, child.x <= parent.x  # below: out and back in at the right
    x1 = child.x + WIDTH * right
    x2 = parent.x + WIDTH * (below or not right)
    distance = abs(x2 - x1)
    if distance <= GAP_X:
        bend = GAP_X * 0.55 * (1 if right else -1)
        back = x2 + bend * (1 if below else -1)
        path = f"M{x1} {start} C{x1 + bend} {start} {back} {end} {x2} {end}"
    else:  # over the top of the columns between, up and down where no box is
        out, into = (0.3, -0.3) if right else (-0.3, 0.3)
        up, down = x1 + out * GAP_X, x2 + into * GAP_X
        path = f"M{x1} {start} H{up} V{next(tops)} H{down} V{end} H{x2}"
    return Edge(child.table, key, path, x2, end)
