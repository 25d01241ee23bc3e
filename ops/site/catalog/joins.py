"""Joins that people need of a table, from its foreign keys: statements to copy and run."""

from collections.abc import Iterator, Mapping
from itertools import islice

from ops.site.catalog.contracts import Contracts, ForeignKey, Table

MOST = 3
NAMES = ("login", "name")  # what a row is called, the first that a table has
Path = list[tuple[Table, ForeignKey, Table]]


def joins(contracts: Contracts, table: Table, rows: Mapping[str, int]) -> list[tuple[str, str]]:
    """Up to three, each with what it is for.

    Args:
        contracts: All tables.
        table: The one to join.
        rows: Rows of the tables, as far as known: the larger ones are asked for more.
    """
    found = islice(_candidates(contracts, table, rows), MOST)
    return [(title, "\n".join(lines)) for title, lines in found]


def _candidates(
    contracts: Contracts, table: Table, rows: Mapping[str, int]
) -> Iterator[tuple[str, list[str]]]:
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
        yield "with the names of what it refers to", _with_names(contracts, table)
        yield f"counted by {last}", _counted(contracts.table(last), paths[last])
    for name, path in paths.items():
        if _name(contracts.table(name)) == NAMES[0]:
            yield f"of one of the {name}", _of_one(table, contracts.table(name), path)
    for child, key in children:
        yield f"with the number of {child.name}", _counted(table, [(child, key, table)], every=True)
        for other in child.foreign_keys:
            if other is not key and other.table != table.name:
                target = contracts.table(other.table)
                title = f"with {target.name}, through {child.name}"
                yield title, _through(table, child, key, target, other)
    for name, path in paths.items():
        if name != last:
            yield f"counted by {name}", _counted(contracts.table(name), path)


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


def _name(table: Table) -> str:
    columns = {column.name for column in table.columns}
    return next((name for name in NAMES if name in columns), table.primary_key[0])


def _join(child: Table, key: ForeignKey, alias: str = "") -> str:
    """The line that joins what a foreign key refers to."""
    needed = any(column.name == key.column and column.not_null for column in child.columns)
    kind = "inner" if needed else "left"
    renamed = f" as {alias}" if alias else ""
    target = f"{alias or key.table}.{key.target}"
    return f"{kind} join mirror.{key.table}{renamed} on {child.name}.{key.column} = {target}"


def _with_names(contracts: Contracts, table: Table) -> list[str]:
    names, lines = [f"    {table.name}.*"], []
    referred = [key.table for key in table.foreign_keys]
    for key in table.foreign_keys:
        role = key.column.removesuffix("_id")
        alias = role if referred.count(key.table) > 1 or key.table == table.name else ""
        column = _name(contracts.table(key.table))
        names.append(f"    {alias or key.table}.{column} as {role}_{column}")
        lines.append(_join(table, key, alias))
    return ["select", ",\n".join(names), f"from mirror.{table.name}", *lines, "limit 20;"]


def _counted(by: Table, path: Path, *, every: bool = False) -> list[str]:
    """Rows of the path's first table for each of `by`; `every`: for those without any, too."""
    counted = path[0][0]
    name = dict.fromkeys([*by.primary_key[:1], _name(by)])
    shown = ", ".join(f"{by.name}.{column}" for column in name)
    if every:
        child, key, _ = path[0]
        lines = [
            f"from mirror.{by.name}",
            f"left join mirror.{child.name} on {by.name}.{key.target} = {child.name}.{key.column}",
        ]
    else:
        lines = [f"from mirror.{counted.name}", *(_join(child, key) for child, key, _ in path)]
    what = f"count({counted.name}.{path[0][1].column})" if every else "count(*)"
    return [
        f"select {shown}, {what} as {counted.name}",
        *lines,
        f"group by {shown}",
        f"order by {counted.name} desc;",
    ]


def _of_one(table: Table, whose: Table, path: Path) -> list[str]:
    return [
        f"select {table.name}.*",
        f"from mirror.{table.name}",
        *(_join(child, key) for child, key, _ in path),
        f"where {whose.name}.{_name(whose)} = 'jdoe';",
    ]


def _through(
    table: Table, link: Table, key: ForeignKey, other: Table, to_other: ForeignKey
) -> list[str]:
    return [
        f"select {table.name}.{_name(table)}, {other.name}.{_name(other)}",
        f"from mirror.{table.name}",
        f"inner join mirror.{link.name}",
        f"    on {table.name}.{key.target} = {link.name}.{key.column}",
        _join(link, to_other),
        "limit 20;",
    ]
