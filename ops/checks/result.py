"""What a check says, and the small things that all checks share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base.query import execute

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


def published_tables(connection: Connection) -> list[str]:
    """The tables that are published: those of `mirror`, and those that the last build made."""
    found = execute(
        connection,
        "select distinct relname from pg_class where relkind in ('r', 'p') and relnamespace in "
        "(to_regnamespace('mirror'), to_regnamespace('marts')) order by relname",
    )
    return [name for (name,) in found]
