"""What a copy holds: the tables of `raw`, and those of `ops` that the models read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extras import register_default_jsonb

from extract.base.errors import UsageError
from extract.base.query import execute
from extract.load.raw import Raw
from extract.tables import READS, TABLES

ROWS_A_PIECE = 50_000


@dataclass(frozen=True)
class Copied:
    """A table as a copy holds it.

    Attributes:
        name: In the copy; there is only one schema.
        schema: Of the table here.
        columns: What is copied, JSON as text.
        key: The columns that identify a row.
    """

    name: str
    schema: str
    columns: pa.Schema
    key: tuple[str, ...]

    @property
    def relation(self) -> sql.Identifier:
        """The table here."""
        return sql.Identifier(self.schema, self.name)

    def rows(
        self, connection: Connection, condition: sql.Composable | None = None
    ) -> Iterator[pa.Table]:
        """The rows in pieces; none are an empty piece, so that the table is made."""
        columns = sql.SQL(", ").join(map(sql.Identifier, self.columns.names))
        query = sql.SQL("select {} from {}").format(columns, self.relation)
        if condition:
            query += sql.SQL(" where ") + condition
        with connection.cursor(f"copy_{self.name}") as cursor:
            register_default_jsonb(cursor, loads=str)
            cursor.execute(query)
            while True:
                rows = cursor.fetchmany(ROWS_A_PIECE)
                values: list[Any] = list(zip(*rows, strict=True)) or [()] * len(self.columns)
                yield pa.table(values, schema=self.columns)
                if len(rows) < ROWS_A_PIECE:
                    return


def tables_to_copy(connection: Connection) -> list[Copied]:
    """Those that are there now; none before the first extraction.

    Raises:
        UsageError: An earlier version made them, and nothing was read since.
    """
    found = [
        Copied(name, "raw", TABLES[name].loaded_schema(), TABLES[name].primary_key)
        for name in sorted(Raw(connection).tables)
    ]
    # whose relations were read, which the reports divide by
    reads = [
        Copied(
            name,
            "ops",
            pa.schema(
                {"resource": pa.string(), parent: pa.int64(), "read_at": pa.timestamp("us", "UTC")}
            ),
            ("resource", parent),
        )
        for name, parent in READS.items()
    ]
    tables = found and found + reads
    query = (
        "select table_schema, table_name, column_name from information_schema.columns "
        "where table_schema in ('raw', 'ops')"
    )
    wanted = {(table.schema, table.name, name) for table in tables for name in table.columns.names}
    if wanted - set(execute(connection, query)):
        raise UsageError("`raw` is of an earlier version yet. Run `make extract` first.")
    return tables
