"""One relation's pages into `raw`: through our contract and Loader, beside the same rows by COPY.

Run as a process for each try: `… .relations pages|ours|copy FILE ROWS`. The pages are a file of
JSON lines, a page of 100 objects each, as the API sends them.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson
import psycopg2

TABLE = "achievements_users"
ROWS_A_USER = 23
PAGES_A_LISTING = 23  # 100 users in a call
LISTINGS_A_LOAD = 100  # as the backfill loads them when the API is fast
FIELDS = (
    "id",
    "achievement_id",
    "user_id",
    "nbr_of_success",
    "url",
    "created_at",
    "updated_at",
)
TYPES = ("bigint", "bigint", "bigint", "bigint", "text", "timestamptz", "timestamptz")


def write_pages(path: Path, rows: int) -> None:
    """Invent achievements_users in pages of 100."""
    with path.open("wb") as file:
        for start in range(0, rows, 100):
            page = [_row(number) for number in range(start, min(start + 100, rows))]
            file.write(orjson.dumps(page) + b"\n")


def _row(number: int) -> dict[str, Any]:
    minute, second = number // 60 % 60, number % 60
    moment = f"2024-{1 + number % 12:02}-{1 + number % 28:02}T12:{minute:02}:{second:02}.117Z"
    return {
        "id": 1 + number,
        "achievement_id": 1 + number % 1042,
        "user_id": 1 + number // ROWS_A_USER,
        "login": f"login{number // ROWS_A_USER}",
        "nbr_of_success": number % 3 or None,
        "url": f"https://api.example/v2/achievements_users/{1 + number}",
        "created_at": moment,
        "updated_at": moment,
    }


def copy(path: Path) -> None:
    """The floor: parse each page, write csv, one COPY into a table with the same key."""
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(FIELDS, TYPES, strict=True))
    with psycopg2.connect("") as connection, connection.cursor() as cursor, path.open("rb") as file:
        cursor.execute("create schema if not exists floor")
        cursor.execute(f"create table floor.relation ({columns}, primary key (id))")
        while pages := list(islice(file, 100)):
            buffer = io.StringIO()
            writer = csv.writer(buffer)
            for page in pages:
                writer.writerows([row[field] for field in FIELDS] for row in orjson.loads(page))
            buffer.seek(0)
            cursor.copy_expert("copy floor.relation from stdin with (format csv)", buffer)


def ours(path: Path) -> None:
    """The product's way: contract, Arrow, dlt, staging, merge; 100 listings a load."""
    # not at the top: the floor shall not pay for them
    import pyarrow as pa

    from extract.base import database
    from extract.base.settings import Settings
    from extract.listing.columns import to_arrow
    from extract.load.context import Pass
    from extract.load.pipeline import Loader
    from extract.load.raw import Raw
    from extract.load.record import Record, create_schema
    from extract.tables import TABLES, streams_on

    connection = database.connect("benchmark", autocommit=True)
    create_schema(connection)
    loader = Loader()
    contract = TABLES[TABLE]
    with path.open("rb") as file:
        listings = _listings(file)
        while first := next(listings, None):
            pages = chain([first], islice(listings, LISTINGS_A_LOAD - 1))
            context = Pass(
                Settings("http://localhost", "", ""),
                None,  # type: ignore[arg-type]  # nothing is read from an API here
                Raw(connection),
                Record(connection, "benchmark"),
                streams_on(),
            )

            def rows(context: Pass, pages: Iterator[list[bytes]]) -> Iterator[Any]:
                scope = context.scope[TABLE] = []
                for listing in pages:
                    tables = [to_arrow(contract, orjson.loads(page), "/v2") for page in listing]
                    done = pa.concat_tables(tables).combine_chunks()
                    users = set(done.column("user_id").to_pylist())
                    known = context.raw.keys(TABLE, users)
                    gone = known - set(done.column("id").to_pylist())
                    context.check_gone(TABLE, len(gone))
                    if gone:
                        scope.extend(users)
                    yield done

            made = context.resource(TABLE, partial(rows, context, pages))
            loader.load(context, partial(_with_what_comes, made))
    connection.close()


def _with_what_comes(made: Any, context: Any) -> list[Any]:
    return [made, *context.came_with(TABLE)]


def _listings(file: io.BufferedReader) -> Iterator[list[bytes]]:
    while pages := list(islice(file, PAGES_A_LISTING)):
        yield pages


if __name__ == "__main__":
    what, name = sys.argv[1], Path(sys.argv[2])
    if what == "pages":
        write_pages(name, int(sys.argv[3]))
    else:
        {"ours": ours, "copy": copy}[what](name)
