"""Complete listings on disk until they are loaded: a killed run repeats one listing at most."""

import errno
import hashlib
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson
import pyarrow as pa
from pyarrow import ipc

from extract.listing.listing import Finished, Listing
from extract.tables import TABLES

MAX_AGE = 6 * 3600.0
# a power cut may cost what is cached, no more; what is loaded leaves no trace in the file
PREPARE = """
    pragma synchronous = off;
    pragma secure_delete = on;
    create table if not exists listings (
        name text primary key, finished_at real, checksum integer, rows blob
    );
"""


class ListingCache:
    """Complete listings on disk (0600), waiting to be loaded: their rows, as Arrow writes them.

    They are in one file of SQLite, which is not there while none is cached. A file for each listing
    is a tenth of what an extraction costs (docs/performance.md).

    A listing is named by the hash of what was asked, so that only the very same question is
    answered from here; listings older than six hours are no answer any more.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = directory / "listings.sqlite"
        for path in directory.iterdir():
            if not path.name.startswith(self._path.name):  # of an earlier version
                path.unlink()
        self._database: sqlite3.Connection | None = None
        first, last = _fresh()
        self._keep(lambda name, finished_at: first <= finished_at <= last)

    def get(self, listing: Listing, api_url: str) -> Finished | None:
        """The cached rows of this very listing, if an interrupted run left them."""
        query = (
            "select finished_at, rows, checksum from listings "
            "where name = ? and finished_at between ? and ?"
        )
        if not self._path.exists():
            return None
        try:
            with self._opened() as database:
                found = database.execute(query, (_name(listing, api_url), *_fresh())).fetchone()
            finished_at, rows, checksum = found or (0.0, b"", -1)
            if zlib.crc32(rows) != checksum:
                return None
            table = ipc.open_stream(rows).read_all()
        except (OSError, pa.ArrowException):
            return None
        if table.schema != TABLES[listing.table].schema():
            return None
        return Finished(listing, table, 0, 0, finished_at, table.num_rows)

    def put(self, finished: Finished, api_url: str) -> None:
        """Keep a complete listing; whole or not at all.

        Raises:
            OSError: It is not written.
        """
        # SQLite holds three copies of what it writes; of a few rows that is less than compressing
        packed = ipc.IpcWriteOptions(compression="lz4" if finished.table.nbytes > 1 << 20 else None)
        target = pa.BufferOutputStream()
        with ipc.new_stream(target, finished.table.schema, options=packed) as stream:
            stream.write_table(finished.table)
        rows, name = target.getvalue(), _name(finished.listing, api_url)
        with self._opened() as database:
            database.execute(
                "insert or replace into listings values (?, ?, ?, ?)",
                (name, finished.finished_at, zlib.crc32(rows), rows),
            )

    def drop(self, listings: Sequence[Listing], api_url: str) -> None:
        """Forget listings whose rows are loaded."""
        names = {_name(listing, api_url) for listing in listings}
        self._keep(lambda name, finished_at: name not in names)

    def _keep(self, wanted: Callable[[str, float], bool]) -> None:
        """Delete the others, or the whole file where none is wanted: to overwrite takes longer."""
        if not self._path.exists():
            return
        try:
            with self._opened() as database:
                found = database.execute("select name, finished_at from listings").fetchall()
                others = [(name,) for name, finished_at in found if not wanted(name, finished_at)]
                left = len(others) < len(found)
                if left:
                    database.executemany("delete from listings where name = ?", others)
        except OSError:
            left = False  # to ask again is dear, to answer with what is loaded already is wrong
        if not left:
            if self._database:
                self._database.close()
                self._database = None
            for path in self._path.parent.glob(f"{self._path.name}*"):
                path.unlink(missing_ok=True)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The file, in a transaction.

        Raises:
            OSError: It is damaged, or the disk is full.
        """
        try:
            if self._database is None:
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
                self._database = sqlite3.connect(self._path, check_same_thread=False)
                self._database.executescript(PREPARE)
            with self._database:
                yield self._database
        except sqlite3.Error as error:
            full = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
            code = errno.ENOSPC if full else errno.EIO
            raise OSError(code, str(error), os.fspath(self._path)) from error


def _name(listing: Listing, api_url: str) -> str:
    """A hash of everything that is asked."""
    asked = api_url, listing.path, sorted(listing.params.items()), sorted(listing.constants.items())
    return f"{listing.table}-{hashlib.sha256(orjson.dumps(asked)).hexdigest()}"


def _fresh() -> tuple[float, float]:
    """From when to when a listing was finished that is an answer, in unix seconds."""
    now = time.time()
    return now - MAX_AGE, now + 60  # a time to come is one that a wrong clock wrote
