"""What a check says, and the small things that all checks share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

Status = Literal["ok", "degraded", "failed", "skipped"]


@dataclass(frozen=True)
class Result:
    """The outcome of one check.

    Attributes:
        name: Stable, for monitors: `orphans.projects_users.user_id`.
        detail: What was found, for people; for a failure also what to do.
        judged: By the verdict, which says it anew whenever it is asked.
    """

    name: str
    status: Status
    detail: str
    judged: bool = False

    @classmethod
    def of(cls, name: str, passed: bool, detail: str) -> Result:
        """A result that is either good or bad."""
        return cls(name, "ok" if passed else "failed", detail)


def mirror(table: str) -> sql.Identifier:
    """The published table."""
    return sql.Identifier("mirror", table)


def rows(
    connection: Connection, query: str | sql.Composable, values: tuple[Any, ...] = ()
) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def value(connection: Connection, query: str | sql.Composable, values: tuple[Any, ...] = ()) -> Any:
    """The first column of the first row of a query; None when there is no row."""
    found = rows(connection, query, values)
    return found[0][0] if found else None


def exists(connection: Connection, relation: str) -> bool:
    """Whether there is a table or view of that name, e.g. `raw.users`."""
    schema, _, name = relation.partition(".")  # PostgreSQL 15's to_regclass fails without a name
    return bool(
        name and value(connection, "select to_regclass(%s) is not null", (f"{schema}.{name}",))
    )


def published_tables(connection: Connection) -> list[str]:
    """The tables that are published: those of `mirror`, and those that the last build made."""
    found = rows(
        connection,
        "select distinct relname from pg_class where relkind in ('r', 'p') and relnamespace in "
        "(to_regnamespace('mirror'), to_regnamespace('marts')) order by relname",
    )
    return [name for (name,) in found]
