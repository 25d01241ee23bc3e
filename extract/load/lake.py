"""A copy in a folder or bucket: parquet files, and a manifest that names those of one moment.

A copy writes what has changed since the last one, under new names, and then the manifest, which
replaces the old one at once: a reader who goes by it sees one moment. Of a table it names files of
rows and files of keys that are gone; both say in `_copy` which copy wrote them. A row counts unless
a later copy says that its key is gone: there it has another version, or none.

What has changed PostgreSQL knows: a row's `xmin` is the transaction that wrote it, and all that
were over at the last copy are older than the oldest one then under way. What was deleted a trigger
has recorded (`ops.record_deleted_rows`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import connection as Connection

from extract.base import database
from extract.base.errors import UsageError
from extract.base.query import execute, records, scalar
from extract.load.copied import Copied
from extract.load.raw import DELETIONS
from extract.load.record import RETENTION_DAYS

MANIFEST = "manifest.json"
# A table is written anew, and what it no longer holds goes from the files, when a quarter of their
# rows do not count, when they are so many that to open them takes longer, and before a deletion
# since the last time can have gone from the record.
STALE_FRACTION = 0.25
MOST_FILES = 100
LONGEST = timedelta(days=RETENTION_DAYS - 1)
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
        self._recorded = _recorded(connection)

    def copy(self, tables: Sequence[Copied]) -> dict[str, int]:
        """Bring the lake to what the connection's transaction sees; returns the rows by table."""
        small_first = sorted(tables, key=self._last_rows)
        with closing(_beside(self._connection)) as beside, ThreadPoolExecutor(1) as ahead:
            # large tables are searched while small ones are, and while what has changed is written
            searches = {
                table.name: ahead.submit(self._written, table, beside)
                for table in sorted(tables, key=self._last_rows, reverse=True)
                if not self._must_be_whole(table)
            }
            try:
                copied = {t.name: self._copied(t, searches.get(t.name)) for t in small_first}
            except BaseException:
                ahead.shutdown(wait=False, cancel_futures=True)
                with suppress(psycopg2.Error):  # the server may have closed it
                    beside.cancel()
                raise
        manifest = self._now | {
            "copy": self._number,
            "copied_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "tables": copied,
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

    def _last_rows(self, table: Copied) -> int:
        """The rows of the table in the last copy."""
        return int(self._last["tables"].get(table.name, {"rows": 0})["rows"])

    def _copied(self, table: Copied, search: Future[tuple[int, str]] | None) -> dict[str, Any]:
        """What the manifest says of a table, its new files written."""
        if search is None:
            whole = self._write(table.name, "rows", table.rows(self._connection), table.columns)
            return self._same(table) | {
                "rows": whole["rows"],
                "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "files": [whole],
                "gone": [],
            }
        last: dict[str, Any] = self._last["tables"][table.name]
        not_begun = search.cancel()
        rows, places = self._written(table, self._connection) if not_begun else search.result()
        gone = [self._deleted_keys(table)]
        if not places and not gone[0].num_rows:
            return last
        files, gone_files = list(last["files"]), list(last["gone"])
        if places:
            there = sql.SQL("ctid = any({}::tid[])").format(sql.Literal(places))
            pieces = table.rows(self._connection, there)
            files.append(self._write(table.name, "rows", pieces, table.columns))
            gone.append(self._keys(table, files[-1]))
        # new rows among them do no harm: what the same copy wrote counts
        gone_files.append(self._write(table.name, "gone", gone, gone[0].schema))
        return last | {"rows": rows, "files": files, "gone": gone_files}

    def _same(self, table: Copied) -> dict[str, Any]:
        """What must be as at the last copy for this one to go on from it."""
        return {
            "columns": {field.name: str(field.type) for field in table.columns},
            "key": list(table.key),
            "recorded": self._recorded.get(table.name, self._number),  # without a record: never
        }

    def _must_be_whole(self, table: Copied) -> bool:
        last: dict[str, Any] | None = self._last["tables"].get(table.name)
        if last is None or not self._goes_on or last | self._same(table) != last:
            return True
        written = sum(file["rows"] for file in last["files"])
        files = [*last["files"], *last["gone"]]
        return (
            len(files) > MOST_FILES
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

    def _keys(self, table: Copied, named: dict[str, Any]) -> pa.Table:
        """The keys of the rows in a file."""
        with self._files.open(f"{self._path}/{named['name']}", "rb") as file:
            return pq.read_table(file, columns=list(table.key))

    def _written(self, table: Copied, connection: Connection) -> tuple[int, str]:
        """The rows that there are, and where those lie that were written since the last copy.

        By age, as ids come round; each transaction counts it from its own moment.
        """
        query = sql.SQL(
            "select count(*), coalesce((array_agg(ctid) filter "
            "(where age(xmin) <= (select age(%s::text::xid))))::text, '') from {}"
        ).format(table.relation)
        last = self._last["changed_from"] % 2**32
        ((rows, places),) = execute(connection, query, (last,))
        return rows, places

    def _deleted_keys(self, table: Copied) -> pa.Table:
        """The keys of the rows that were deleted since the last copy."""
        query = (
            "select key from ops.deleted_rows where resource = %s and deleted_by >= %s::text::xid8"
        )
        rows = execute(self._connection, query, (table.name, self._last["changed_from"]))
        schema = pa.schema([table.columns.field(name) for name in table.key])
        return pa.Table.from_pylist([key for (key,) in rows], schema)

    def _remove_all_but(self, named: set[str]) -> None:
        """Remove what no reader looks for: of the copy before the last one, or of a killed one."""
        for path in self._files.find(self._path):
            name = _name_of(path)
            if re.fullmatch(r"\w+/\d{6,}\.(rows|gone)\.parquet", name) and name not in named:
                self._files.rm_file(path)


def _name_of(path: str) -> str:
    """As a manifest has it: table and file."""
    return "/".join(path.split("/")[-2:])


def _names(manifest: dict[str, Any]) -> set[str]:
    return {
        file["name"]
        for table in manifest["tables"].values()
        for file in [*table["files"], *table["gone"]]
    }


def _beside(connection: Connection) -> Connection:
    """A second connection that sees what the first one's transaction sees."""
    beside = database.connect("fortytwo-mirror copy, what has changed")
    beside.set_session(ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    snapshot = scalar(connection, "select pg_export_snapshot()")
    execute(beside, "set transaction snapshot %s", (snapshot,))
    return beside


def _recorded(connection: Connection) -> dict[str, str]:
    """Since when deletions are on record, by table.

    It is another one where the trigger was made again, and where the table was emptied at once.
    """
    query = (
        "select relname, pg_trigger.oid || '/' || relfilenode from pg_trigger "
        "inner join pg_class on tgrelid = pg_class.oid "
        "where tgname = %s and tgenabled in ('O', 'A')"
    )
    return dict(execute(connection, query, (DELETIONS,)))


def _goes_on(last: dict[str, Any], now: dict[str, Any], connection: Connection) -> bool:
    """Whether nobody was erased since the last copy, and transaction ids tell what has changed.

    A server whose files were put back to an earlier time gives the same ids once more, and knows
    nothing of the newest run that was copied.
    """
    run = last.get("run")
    known = scalar(connection, "select exists (select from ops.runs where run_id = %s)", (run,))
    return (
        (run is None or known)
        and all(last.get(name) == now[name] for name in ("history", "erasures"))
        and 0 <= now["changed_from"] - last["changed_from"] < 2**31  # else ids came round
    )


def _state(connection: Connection) -> dict[str, Any]:
    """Which database it is, and up to where its transactions are over.

    `history` is another one when transaction ids have begun anew: the database was made again, or
    brought back to an earlier time from a backup.
    """
    query = (
        "select system_identifier || '/' || datname as database, "
        "timeline_id || '/' || pg_database.oid as history, "
        "pg_snapshot_xmin(pg_current_snapshot())::text::bigint as changed_from, "
        "(select count(*) || '/' || max(erased_at) from ops.erasures) as erasures, "
        "(select max(run_id) from ops.runs) as run "
        "from pg_control_system(), pg_control_checkpoint(), pg_database "
        "where datname = current_database()"
    )
    return records(connection, query)[0]
