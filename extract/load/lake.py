"""A copy in a folder or bucket: parquet files, and a manifest that names those of one moment.

A copy writes what has changed since the last one, under new names, and then the manifest, which
replaces the old one at once: a reader who goes by it sees one moment. Of a table it names files of
rows and files of keys that are gone; both say in `_copy` which copy wrote them. A row counts unless
a later copy says that its key is gone: there it has another version, or none.

What has changed PostgreSQL knows: a row's `xmin` is the transaction that wrote it, and all that
were over at the last copy are older than the oldest one then under way.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base.errors import UsageError
from extract.load.copied import Copied

MANIFEST = "manifest.json"
# A table is written anew, and what it no longer holds goes from the files, when a quarter of their
# rows do not count, when they are so many that to open them takes longer, and after a month.
STALE_FRACTION = 0.25
MOST_FILES = 100
LONGEST = timedelta(days=30)
COPY = pa.field("_copy", pa.int64())


class Lake:
    """A folder or bucket that holds copies.

    Args:
        files: fsspec's file system.
        path: The folder there.

    Raises:
        UsageError: Something else is in it, or the copies of another database.
    """

    def __init__(self, files: Any, path: str, connection: Connection) -> None:
        self._files, self._path, self._connection = files, path.rstrip("/"), connection
        self._now = _state(connection)
        files.invalidate_cache()
        self._there = {
            _name_of(file): found["size"]
            for file, found in files.find(self._path, detail=True).items()
        }
        self._last: dict[str, Any] = {}
        with suppress(FileNotFoundError, ValueError):  # damaged, it is nobody's
            self._last = dict(json.loads(files.cat_file(f"{self._path}/{MANIFEST}")))
        if self._there and self._last.get("database") != self._now["database"]:
            raise UsageError(
                f"{path} holds files that no copy of this database made. Nothing was copied. Name "
                "another folder (DESTINATION__FILESYSTEM__BUCKET_URL), or remove what is there."
            )
        if not self._last:  # whose the files of a copy that is killed are
            self._last = self._now | {"copy": 0, "tables": {}}
            self._name(self._last)
        self._number: int = self._last["copy"] + 1
        self._goes_on = _goes_on(self._last, self._now, connection)
        self._age = _age(self._last["changed_from"], connection)

    def copy(self, tables: Iterable[Copied]) -> dict[str, int]:
        """Bring the lake to what the connection's transaction sees; returns the rows by table."""
        manifest = self._now | {
            "copy": self._number,
            "copied_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "tables": {table.name: self._copied(table) for table in tables},
        }
        last, named = _names(self._last), _names(manifest)
        erased = self._last.get("erasures") != self._now["erasures"]
        # whoever reads by the last manifest still finds its files, but nobody who was erased
        manifest["superseded"] = [] if erased else sorted(last - named)
        self._name(manifest)
        self._remove_all_but(named.union(manifest["superseded"]))
        return {name: table["rows"] for name, table in manifest["tables"].items()}

    def _name(self, manifest: dict[str, Any]) -> None:
        """Put the manifest in the place of the last one, at once."""
        self._files.makedirs(self._path, exist_ok=True)
        new = f"{self._path}/{MANIFEST}.new"
        self._files.pipe_file(new, json.dumps(manifest).encode())
        self._files.mv(new, f"{self._path}/{MANIFEST}")

    def _copied(self, table: Copied) -> dict[str, Any]:
        """What the manifest says of a table, its new files written."""
        last: dict[str, Any] | None = self._last["tables"].get(table.name)
        columns = {field.name: str(field.type) for field in table.columns}
        if last is None or last["columns"] != columns or self._must_be_whole(last):
            whole = self._write(table.name, "rows", table.rows(self._connection), table.columns)
            return {
                "columns": columns,
                "key": table.key,
                "rows": whole["rows"],
                "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "files": [whole],
                "gone": [],
            }
        rows, written = self._written(table)
        if written is None and rows == last["rows"]:
            return last
        new = []
        if written is not None:
            there = sql.SQL("ctid = any({}::tid[])").format(sql.Literal(written))
            pieces = table.rows(self._connection, there)
            new = [self._write(table.name, "rows", pieces, table.columns)]
        keys = self._live_keys(last)
        changed = self._read(new, keys.column_names) if new else keys.slice(0, 0)
        gone = _those(keys, changed, among=True)
        if keys.num_rows - gone.num_rows > rows - changed.num_rows:  # others were deleted
            gone = _those(keys, self._unchanged_keys(table), among=False)
        gone_files = list(last["gone"])
        if gone.num_rows:
            gone_files.append(self._write(table.name, "gone", [gone], gone.schema))
        return last | {"rows": rows, "files": [*last["files"], *new], "gone": gone_files}

    def _must_be_whole(self, last: dict[str, Any]) -> bool:
        written = sum(file["rows"] for file in last["files"])
        files = [*last["files"], *last["gone"]]
        return (
            not self._goes_on
            or len(files) > MOST_FILES
            or any(self._there.get(file["name"]) != file.get("bytes", -1) for file in files)
            or written - last["rows"] > STALE_FRACTION * written
            or datetime.now(UTC) - datetime.fromisoformat(last["written_at"]) > LONGEST
        )

    def _write(
        self, table: str, kind: str, pieces: Iterable[pa.Table], schema: pa.Schema
    ) -> dict[str, Any]:
        name, rows = f"{table}/{self._number:06}.{kind}.parquet", 0
        self._files.makedirs(f"{self._path}/{table}", exist_ok=True)
        with self._files.open(f"{self._path}/{name}", "wb") as file:
            with pq.ParquetWriter(file, schema.append(COPY)) as writer:
                for piece in pieces:
                    number = pa.array([self._number] * piece.num_rows, COPY.type)
                    writer.write_table(piece.append_column(COPY, number))
                    rows += piece.num_rows
            size = file.tell()
        return {"name": name, "rows": rows, "bytes": size}

    def _live_keys(self, last: dict[str, Any]) -> pa.Table:
        """The keys of the rows that count in the last copy."""
        key = list(last["key"])
        if not last["gone"]:
            return self._read(last["files"], key)
        written = self._read(last["files"], [*key, COPY.name])
        gone = self._read(last["gone"], [*key, COPY.name]).group_by(key)
        gone = gone.aggregate([(COPY.name, "max")])
        both = written.join(gone, key, join_type="left outer")
        counts = pc.greater_equal(both[COPY.name], pc.fill_null(both[f"{COPY.name}_max"], 0))
        return both.filter(counts).select(key)

    def _read(self, files: list[dict[str, Any]], columns: list[str]) -> pa.Table:
        pieces = []
        for named in files:
            with self._files.open(f"{self._path}/{named['name']}", "rb") as file:
                pieces.append(pq.read_table(file, columns=columns))
        return pa.concat_tables(pieces)

    def _written(self, table: Copied) -> tuple[int, str | None]:
        """The rows that there are, and where those lie that were written since the last copy."""
        query = sql.SQL(
            "select count(*), (array_agg(ctid) filter (where age(xmin) <= {}))::text from {}"
        ).format(sql.Literal(self._age), table.relation)
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()  # type: ignore[return-value]

    def _unchanged_keys(self, table: Copied) -> pa.Table:
        """The keys that are there now of rows that were there at the last copy as they are."""
        text = io.BytesIO()
        query = sql.SQL(
            "copy (select {} from {} where age(xmin) > {}) to stdout (format csv, header)"
        ).format(
            sql.SQL(", ").join(map(sql.Identifier, table.key)),
            table.relation,
            sql.Literal(self._age),
        )
        with self._connection.cursor() as cursor:
            cursor.copy_expert(query, text)
        text.seek(0)
        types = {name: table.columns.field(name).type for name in table.key}
        return pyarrow.csv.read_csv(
            text, convert_options=pyarrow.csv.ConvertOptions(column_types=types)
        )

    def _remove_all_but(self, named: set[str]) -> None:
        """Remove what no reader looks for: of the copy before the last one, or of a killed one."""
        for path in self._files.find(self._path):
            name = _name_of(path)
            if re.fullmatch(r"\w+/\d{6,}\.(rows|gone)\.parquet", name) and name not in named:
                self._files.rm_file(path)


def _those(keys: pa.Table, others: pa.Table, *, among: bool) -> pa.Table:
    """The keys that are among the others, or those that are not.

    A join would take twice the time for one column.
    """
    if len(keys.column_names) > 1:
        join_type = "left semi" if among else "left anti"
        return keys.join(others, keys.column_names, join_type=join_type)
    found = pc.is_in(keys[0], value_set=others[0])
    return keys.filter(found if among else pc.invert(found))


def _name_of(path: str) -> str:
    """As a manifest has it: table and file."""
    return "/".join(path.split("/")[-2:])


def _names(manifest: dict[str, Any]) -> set[str]:
    return {
        file["name"]
        for table in manifest["tables"].values()
        for file in [*table["files"], *table["gone"]]
    }


def _age(transaction: int, connection: Connection) -> int:
    """How many transactions ago it was: also counted so by PostgreSQL where ids have come round."""
    with connection.cursor() as cursor:
        cursor.execute("select age(%s::text::xid)", [transaction % 2**32])
        return int(cursor.fetchone()[0])  # type: ignore[index]


def _goes_on(last: dict[str, Any], now: dict[str, Any], connection: Connection) -> bool:
    """Whether nobody was erased since the last copy, and transaction ids tell what has changed.

    A server whose files were put back to an earlier time gives the same ids once more, and knows
    nothing of the newest run that was copied.
    """
    with connection.cursor() as cursor:
        cursor.execute("select from ops.runs where run_id = %s", (last.get("run"),))
        run_is_known = cursor.rowcount == 1 or last.get("run") is None
    return (
        run_is_known
        and all(last.get(name) == now[name] for name in ("history", "erasures"))
        and 0 <= now["changed_from"] - last["changed_from"] < 2**31  # else ids came round
    )


def _state(connection: Connection) -> dict[str, Any]:
    """Which database it is, and up to where its transactions are over.

    `history` is another one when transaction ids have begun anew: the database was made again, or
    brought back to an earlier time from a backup.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select system_identifier || '/' || datname, "
            "timeline_id || '/' || pg_database.oid, "
            "pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
            "(select count(*) || '/' || max(erased_at) from ops.erasures), "
            "(select max(run_id) from ops.runs) "
            "from pg_control_system(), pg_control_checkpoint(), pg_database "
            "where datname = current_database()"
        )
        names = ("database", "history", "changed_from", "erasures", "run")
        return dict(zip(names, cursor.fetchone() or (), strict=True))
