"""The floor: the least that a script can do. Asyncio, one COPY a table, no check of anything.

It reads what a full pass reads, in the same calls, and keeps the same columns. No retry, no quota,
no completeness, no types of its own, no merge: it fills empty tables and drops old ones.
"""

from __future__ import annotations

import asyncio
import csv
import io
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
import psycopg2

from benchmarks.lists import REFERENCE, STUDENTS, TABLES

CONNECTIONS = 6
Rows = list[dict[str, Any]]
Answer = tuple[list[int], int]  # the rows' ids, and the length of the whole list


class Http:
    """One keep-alive connection."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname, parts.port
        self._token = ""

    async def open(self) -> None:
        """Connect and get a token."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        credentials = "grant_type=client_credentials&client_id=sandbox&client_secret=sandbox"
        body, _ = await self._ask(f"POST /oauth/token?{credentials}")
        self._token = orjson.loads(body)["access_token"]

    async def page(self, path: str, params: dict[str, str], number: int) -> tuple[Rows, int]:
        """The rows of a page and the length of the whole list."""
        query = {**params, "sort": "id", "page[size]": "100", "page[number]": str(number)}
        text = "&".join(f"{quote(key)}={quote(value, ',')}" for key, value in query.items())
        body, total = await self._ask(f"GET /v2{path}?{text}")
        return orjson.loads(body), total

    async def _ask(self, what: str) -> tuple[bytes, int]:
        self._writer.write(
            f"{what} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {self._token}\r\n"
            "User-Agent: floor\r\nContent-Length: 0\r\n\r\n".encode()
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(head.decode().splitlines()[0])
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        body = await self._reader.readexactly(int(fields[b"content-length"]))
        return body, int(fields.get(b"x-total", 0))


async def read(address: str, sink: Callable[[str, Rows], list[int]]) -> int:
    """Read everything; `sink(table, rows)` takes each page. Returns the calls made."""
    clients = [Http(address) for _ in range(CONNECTIONS)]
    await asyncio.gather(*(client.open() for client in clients))
    free: asyncio.Queue[Http] = asyncio.Queue()
    for client in clients:
        free.put_nowait(client)
    calls = 0

    async def page(
        table: str, path: str, params: dict[str, str], number: int
    ) -> tuple[list[int], int]:
        nonlocal calls
        client = await free.get()
        try:
            calls += 1
            rows, total = await client.page(path, params, number)
        finally:
            free.put_nowait(client)
        if table == "users":
            for row in rows:
                row["campus_id"] = int(params["filter[primary_campus_id]"])
        if table == "cursus_users":
            for row in rows:
                row["user_id"], row["cursus_id"] = row["user"]["id"], row["cursus"]["id"]
        return sink(table, rows), total

    async def read_list(table: str, path: str, params: dict[str, str]) -> list[int]:
        found, total = await page(table, path, params, 1)
        numbers = range(2, -(-total // 100) + 1)
        rest = await asyncio.gather(*(page(table, path, params, number) for number in numbers))
        return [*found, *(key for keys, _ in rest for key in keys)]

    lists = {
        table: asyncio.create_task(read_list(table, path, {})) for table, path in REFERENCE.items()
    }
    campuses = await lists["campus"]
    filters = ({**STUDENTS, "filter[primary_campus_id]": str(campus)} for campus in campuses)
    users = await asyncio.gather(*(read_list("users", "/cursus/21/users", one) for one in filters))
    ids = [str(user) for found in users for user in found]
    batches = (",".join(ids[start : start + 100]) for start in range(0, len(ids), 100))
    await asyncio.gather(
        *(
            read_list("cursus_users", "/cursus/21/cursus_users", {"filter[user_id]": batch})
            for batch in batches
        ),
        *lists.values(),
    )
    return calls


def main(address: str, database: str) -> None:
    """Read and copy, a megabyte at a time."""
    columns = {table: [word.split(":") for word in text.split()] for table, text in TABLES.items()}
    files = {table: io.StringIO() for table in TABLES}
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("drop schema if exists floor cascade; create schema floor")
        for table, names in columns.items():
            text = ", ".join(f'"{name}" {kind}' for name, kind in names)
            cursor.execute(f"create table floor.{table} ({text}, primary key (id))")

        def copy(table: str) -> None:
            file = files[table]
            file.seek(0)
            cursor.copy_expert(f"copy floor.{table} from stdin with (format csv, null '\\N')", file)
            files[table] = io.StringIO()

        def take(table: str, rows: Rows) -> list[int]:
            writer = csv.writer(files[table])
            names = columns[table]
            for row in rows:
                values = []
                for name, kind in names:
                    value = row.get(name)
                    if value is None:
                        value = "\\N"
                    elif kind == "jsonb":
                        value = orjson.dumps(value).decode()
                    values.append(value)
                writer.writerow(values)
            if files[table].tell() > 1 << 20:
                copy(table)
            return [row["id"] for row in rows]

        calls = asyncio.run(read(address, take))
        for table in columns:
            copy(table)
    print(f"{calls} calls")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
