"""What in the database is this mirror's, and what somebody else's that has a name of ours.

The mark and the question are macros of the dbt project, which asks too.
"""

import re
from functools import cache
from typing import Any

from jinja2 import Environment
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base.errors import UsageError
from extract.base.query import execute
from extract.base.settings import ROOT
from extract.tables import INDEXES, TABLES

DBT = ROOT / "dbt_project"
OPS_FILES = (ROOT / "ops" / "schema.sql", ROOT / "extract" / "load" / "record.sql")
COMMENTS = """
select case relkind when 'v' then 'view' else 'table' end, relation.oid::regclass::text,
    obj_description(relation.oid, 'pg_class')
from pg_class as relation
inner join pg_namespace as space on relation.relnamespace = space.oid
where relkind in ('r', 'v') and nspname || '.' || relname = any(%s)
"""
TABLES_OF_NO_DECLARATION = """
select relation.oid::regclass::text
from pg_class as relation
inner join pg_namespace as space on relation.relnamespace = space.oid
where relkind = 'r' and nspname in ('raw', 'raw_staging', 'marts', 'mirror', 'snapshots')
    and right(obj_description(relation.oid, 'pg_class'), length(%(mark)s)) = %(mark)s
    and nspname || '.' || relname <> all(%(names)s)
order by 1
"""
DLT_TABLES = ("_dlt_loads", "_dlt_version", "_dlt_pipeline_state")


def refuse_foreign_objects(connection: Connection, take_over: bool = True) -> None:
    """Stop at objects that the mirror did not make and would have to touch.

    Args:
        take_over: Mark those that the mirror's own versions from before there was a mark have made.

    Raises:
        UsageError: There are such objects; nothing was changed.
    """
    found = execute(connection, _macros().unmarked_objects_sql(names()))
    foreign = [f"{name} ({kind})" for name, kind, is_ours in found if not is_ours]
    if foreign:
        raise UsageError(
            f"Not made by this mirror, and in its way: {', '.join(foreign)}. Nothing was "
            "created, altered or dropped. Give the mirror a database of its own "
            "(PGDATABASE=another_name), or let the owner rename them."
        )
    if take_over:
        _mark(connection, [name for name, _, _ in found])


def mark(connection: Connection, *schemas: str) -> None:
    """Mark what was just made in these schemas, in the transaction that made it."""
    _mark(connection, [name for name in names() if name.partition(".")[0] in schemas])


def _mark(connection: Connection, objects: list[str]) -> None:
    """Put the mark at the end of the comments of tables and views."""
    mark = _macros().mark()
    for kind, relation, comment in execute(connection, COMMENTS, (objects,)):
        if not (comment or "").endswith(mark):
            # both are PostgreSQL's own words, names in them quoted
            statement = sql.SQL("comment on {} {} is {}").format(
                sql.SQL(kind),
                sql.SQL(relation),
                sql.Literal(f"{(comment or '').rstrip()} {mark}".lstrip()),
            )
            execute(connection, statement)


def undeclared_tables(connection: Connection) -> list[str]:
    """The tables that the mirror has made and this version of it declares no more, by name."""
    values = {"mark": _macros().mark(), "names": names()}
    return [name for (name,) in execute(connection, TABLES_OF_NO_DECLARATION, values)]


@cache
def names() -> list[str]:
    """Every `schema.name` that the mirror creates, read from where it is declared."""
    ops = " ".join(path.read_text(encoding="utf-8") for path in OPS_FILES)
    models = [
        (path.relative_to(DBT / "models").parts[0], path.stem)
        for path in (DBT / "models").rglob("*.sql")
    ]
    snapshots = " ".join(
        path.read_text(encoding="utf-8") for path in (DBT / "snapshots").glob("*.yml")
    )
    functions = " ".join(
        path.read_text(encoding="utf-8") for path in (DBT / "macros" / "publication").glob("*.sql")
    )
    found = [
        *(("raw", name) for name in (*TABLES, *DLT_TABLES, *INDEXES)),
        *(("raw_staging", name) for name in (*TABLES, "_dlt_version")),
        *models,
        *(("mirror", name) for schema, name in models if schema == "marts"),
        *(("intermediate", f"{name}__differences") for schema, name in models if schema == "marts"),
        *(("snapshots", name) for name in re.findall(r"- name: (\w+_history)", snapshots)),
        *(
            ("ops", name)
            for name in re.findall(r"create or replace function ops\.(\w+)", functions + ops)
        ),
        *(
            ("ops", name)
            for name in re.findall(
                r"(?:create (?:table|view|index)(?: if not exists)?|to_regclass\(')"
                r"\s*(?:ops\.)?(\w+)",
                ops,
            )
        ),
    ]
    return sorted({f"{schema}.{name}" for schema, name in found})


@cache
def schemas() -> list[str]:
    """Every schema in which the mirror creates something."""
    return sorted({name.partition(".")[0] for name in names()})


@cache
def _macros() -> Any:
    text = (DBT / "macros" / "publication" / "ownership.sql").read_text(encoding="utf-8")
    return Environment(extensions=["jinja2.ext.do"]).from_string(text).module
