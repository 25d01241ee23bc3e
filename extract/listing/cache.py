"""Complete listings on disk until they are loaded: a killed run repeats one listing at most."""

import hashlib
import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import orjson
import pyarrow as pa
from pyarrow import ipc

from extract.base.folders import private_file
from extract.listing.listing import Finished, Listing
from extract.tables import TABLES

MAX_AGE = 6 * 3600.0


class ListingCache:
    """Complete listings on disk (0600), waiting to be loaded.

    Each is a file: a line with the time at which it was complete and the checksum of its rows, then
    the rows as Arrow writes them. A power cut may cost what is cached, no more.

    A listing is named by the hash of what was asked, so that only the very same question is
    answered from here; listings older than six hours are no answer any more.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        for path in directory.iterdir():
            with path.open("rb") as file:
                is_answer = _head(file)
            if not is_answer:  # too old, damaged or of an earlier version
                path.unlink()

    def get(self, listing: Listing, api_url: str) -> Finished | None:
        """The cached rows of this very listing, if an interrupted run left them."""
        try:
            with self._path(listing, api_url).open("rb") as file:
                finished_at, checksum = _head(file) or (0.0, -1)
                rows = file.read()
            if zlib.crc32(rows) != checksum:
                return None
            table = ipc.open_stream(rows).read_all()
        except (OSError, pa.ArrowException):
            return None
        if table.schema != TABLES[listing.table].schema():
            return None
        return Finished(listing, table, 0, 0, finished_at, table.num_rows)

    def put(self, finished: Finished, api_url: str) -> None:
        """Keep a complete listing.

        Raises:
            OSError: It is not written.
        """
        target = pa.BufferOutputStream()
        with ipc.new_stream(target, finished.table.schema) as stream:
            stream.write_table(finished.table)
        rows, path = target.getvalue(), self._path(finished.listing, api_url)
        try:
            with private_file(path) as file:
                file.write(b"%r %d\n" % (finished.finished_at, zlib.crc32(rows)))
                file.write(rows)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error

    def drop(self, listings: Sequence[Listing], api_url: str) -> None:
        """Forget listings whose rows are loaded."""
        for listing in listings:
            self._path(listing, api_url).unlink(missing_ok=True)

    def _path(self, listing: Listing, api_url: str) -> Path:
        """The file, by a hash of everything that is asked."""
        asked = (
            api_url,
            listing.path,
            sorted(listing.params.items()),
            sorted(listing.constants.items()),
        )
        digest = hashlib.sha256(orjson.dumps(asked)).hexdigest()
        return self._directory / f"{listing.table}-{digest}.arrow"


def _head(file: IO[bytes]) -> tuple[float, int] | None:
    """When a listing was finished, in unix seconds, and its checksum; None if it is no answer."""
    try:
        finished_at, checksum = file.readline(100).split()
        moment, number = float(finished_at), int(checksum)
    except ValueError:
        return None
    now = time.time()
    # a time to come is one that a wrong clock wrote
    return (moment, number) if now - MAX_AGE <= moment <= now + 60 else None
