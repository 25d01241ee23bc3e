"""Joins that people need of a table, from its foreign keys: statements to copy and run."""

from collections.abc import Iterator, Mapping
from itertools import islice

from ops.site.catalog.contracts import Contracts, ForeignKey, Table
from ops.site.pages import macros

MOST = 3
Path = list[tuple[Table, ForeignKey, Table]]


def joins(contracts: Contracts, table: Table, rows: Mapping[str, int]) -> list[tuple[str, str]]:
    """Up to three, each with what it is for.

    Args:
        contracts: All tables.
        table: The one to join.
        rows: Rows of the tables, as far as known: the larger ones are asked for more.
    """
    return list(islice(_candidates(contracts, table, rows), MOST))


def _candidates(
    contracts: Contracts, table: Table, rows: Mapping[str, int]
) -> Iterator[tuple[str, str]]:
    sql = macros("joins.sql.j2")
    paths = _paths(contracts, table)
    children = [
        (child, key)
        for child in contracts.tables
        for key in child.foreign_keys
        if key.table == table.name and child is not table
    ]
    children.sort(key=lambda found: (-rows.get(found[0].name, 0), found[0].name))
    last = max(paths, key=lambda name: len(paths[name]), default="")
    if paths:
        parents = list(_parents(contracts, table))
        yield "with the names of what it refers to", sql.with_names(table, parents)
        yield f"counted by {last}", sql.counted(paths[last])
    for name, path in paths.items():
        if contracts.table(name).called == "login":
            yield f"of one of the {name}", sql.of_one(path)
    for child, key in children:
        yield f"with the number of {child.name}", sql.counted_for_all(table, child, key)
        for other in child.foreign_keys:
            if other is not key and other.table != table.name:
                target = contracts.table(other.table)
                title = f"with {target.name}, through {child.name}"
                yield title, sql.through(table, child, key, target, other)
    for name, path in paths.items():
        if name != last:
            yield f"counted by {name}", sql.counted(path)


def _paths(contracts: Contracts, table: Table) -> dict[str, Path]:
    """The shortest way to every table that this one refers to, the nearest first."""
    found: dict[str, Path] = {table.name: []}
    waiting = [table]
    while waiting:
        child = waiting.pop(0)
        for key in child.foreign_keys:
            if key.table not in found:
                parent = contracts.table(key.table)
                found[parent.name] = [*found[child.name], (child, key, parent)]
                waiting.append(parent)
    del found[table.name]
    return found


def _parents(contracts: Contracts, table: Table) -> Iterator[tuple[ForeignKey, str, str, str]]:
    """Each foreign key with alias, role and naming column of the table that it refers to."""
    referred = [key.table for key in table.foreign_keys]
    for key in table.foreign_keys:
        role = key.column.removesuffix("_id")
        alias = role if referred.count(key.table) > 1 or key.table == table.name else ""
        yield key, alias, role, contracts.table(key.table).called
