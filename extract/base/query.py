"""Statements at a connection of psycopg2, one at a time: their rows, one value, what is there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor
from psycopg2.extras import RealDictCursor

Statement = str | sql.Composable
Values = tuple[Any, ...] | Mapping[str, Any] | None


def execute(
    connection: Connection, statement: Statement, values: Values = None
) -> list[tuple[Any, ...]]:
    """Run a statement; returns its rows, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [] if cursor.description is None else cursor.fetchall()


@contextmanager
def transaction(connection: Connection, *, undo: bool = False) -> Iterator[cursor]:
    """A transaction of a connection in autocommit mode; undone when something is raised in it.

    Args:
        undo: Undo it in any case.
    """
    with connection.cursor() as cursor:
        cursor.execute("begin")
        try:
            yield cursor
        except BaseException:
            cursor.execute("rollback")
            raise
        cursor.execute("rollback" if undo else "commit")


def scalar(connection: Connection, statement: Statement, values: Values = None) -> Any:
    """The first column of a query's first row; None when there is no row."""
    rows = execute(connection, statement, values)
    return rows[0][0] if rows else None


def exists(connection: Connection, relation: str) -> bool:
    """Whether there is a table or view of that name, e.g. `raw.users`."""
    # PostgreSQL 15's to_regclass fails without a name
    return not relation.endswith(".") and bool(
        scalar(connection, "select to_regclass(%s) is not null", (relation,))
    )


def records(
    connection: Connection, statement: Statement, values: Values = None, *, needs: str = ""
) -> list[dict[str, Any]]:
    """The rows of a query by their columns' names; none while a relation that it needs is missing.

    Args:
        needs: Tables and views, such as `ops.runs ops.listings`.
    """
    if not all(exists(connection, relation) for relation in needs.split()):
        return []
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(statement, values)
        return [dict(row) for row in cursor.fetchall()]
