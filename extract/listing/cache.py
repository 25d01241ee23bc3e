"""Complete listings on disk until they are loaded: a killed run repeats one listing at most."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow as pa
from pyarrow import ipc

from extract.listing.listing import Finished, Listing
from extract.tables import TABLES


class _Head(NamedTuple):
    """What the line before the rows of a listing says; they take so many bytes."""

    listing: str
    finished_at: float
    size: int


class _Place(NamedTuple):
    """Where that line starts."""

    start: int
    finished_at: float


class ListingCache:
    """Complete listings on disk (0600), waiting to be loaded; for one process at a time.

    They are in one file, one after the other: a line that says what follows (`_Head`), then the
    rows as an Arrow stream. A file for each listing is a tenth of what an extraction costs
    (docs/performance.md).

    A listing is named by the hash of what was asked, so that only the very same question is
    answered from here; listings older than `max_age` seconds are no answer any more.
    """

    def __init__(self, directory: Path, max_age: float = 6 * 3600.0) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path, self._max_age = directory / "kept", max_age
        for path in directory.iterdir():
            if path != self._path:  # half-written, or of an earlier version
                path.unlink()
        self._file: io.FileIO | None = None
        self._places = self._read_places()
        self._clean()

    def get(self, listing: Listing, api_url: str) -> Finished | None:
        """The kept rows of this very listing, if an interrupted run left them."""
        name = _name(listing, api_url)
        place = self._places.get(name)
        if place is None or not self._is_fresh(place.finished_at):
            return None
        try:
            with self._path.open("rb") as file:
                table = ipc.open_stream(_text(file, name, place)).read_all()
        except (OSError, ValueError, pa.ArrowException):
            return None
        if table.schema != TABLES[listing.table].schema():
            return None
        return Finished(listing, table, 0, 0, place.finished_at, table.num_rows)

    def put(self, finished: Finished, api_url: str) -> None:
        """Keep a complete listing; whole or not at all."""
        # not compressed: for the few rows of a listing that costs more than it saves
        rows = pa.BufferOutputStream()
        with ipc.new_stream(rows, finished.table.schema) as stream:
            stream.write_table(finished.table)
        text, name = rows.getvalue(), _name(finished.listing, api_url)
        self._file = self._file or _private(self._path, "ab")
        end = self._file.seek(0, os.SEEK_END)
        try:
            self._places[name] = _append(self._file, name, finished.finished_at, text)
        except BaseException:
            self._file.truncate(end)
            raise

    def drop(self, listings: Sequence[Listing], api_url: str) -> None:
        """Forget listings whose rows are loaded."""
        names = {_name(listing, api_url) for listing in listings}
        if not names.isdisjoint(self._places):
            self._places = {n: place for n, place in self._places.items() if n not in names}
            self._clean()

    def _read_places(self) -> dict[str, _Place]:
        """What of the file is an answer; nothing from where it is damaged."""
        places = {}
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            for line in iter(file.readline, b""):
                try:
                    head = _head(line)
                except ValueError:
                    break
                start = file.tell() - len(line)
                if file.seek(head.size, os.SEEK_CUR) <= size and self._is_fresh(head.finished_at):
                    places[head.listing] = _Place(start, head.finished_at)
        return places

    def _clean(self) -> None:
        """Have nothing in the file but answers, and no file when there is none."""
        if self._file:
            self._file.close()
            self._file = None
        if not self._places:
            self._path.unlink(missing_ok=True)
            return
        unfinished = self._path.with_suffix(".part")
        try:
            with self._path.open("rb") as old, _private(unfinished, "wb") as new:
                self._places = {
                    name: _append(new, name, place.finished_at, _text(old, name, place))
                    for name, place in self._places.items()
                }
            unfinished.replace(self._path)
        except (OSError, ValueError):
            # to ask again is dear, to answer with what is loaded already is wrong
            self._places = {}
            self._path.unlink(missing_ok=True)
            unfinished.unlink(missing_ok=True)

    def _is_fresh(self, finished_at: float) -> bool:
        # a time to come is one that a wrong clock wrote: nobody knows how old the listing is
        return -60 <= time.time() - finished_at <= self._max_age


def _name(listing: Listing, api_url: str) -> str:
    api = hashlib.sha256(api_url.encode()).hexdigest()[:8]
    return f"{listing.table}-{api}-{listing.question}"


def _private(path: Path, mode: str) -> io.FileIO:
    return io.FileIO(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def _head(line: bytes) -> _Head:
    """Read a head.

    Raises:
        ValueError: It is none.
    """
    try:
        listing, finished_at, size = orjson.loads(line)
        return _Head(str(listing), float(finished_at), max(0, int(size)))
    except TypeError as error:
        raise ValueError("no head of a listing") from error


def _text(file: io.BufferedReader, name: str, place: _Place) -> bytes:
    """The rows of this listing.

    Raises:
        ValueError: Another one is there: somebody else wrote the file.
    """
    file.seek(place.start)
    head = _head(file.readline())
    if head.listing != name:
        raise ValueError("another listing")
    return file.read(head.size)


def _append(file: io.FileIO, name: str, finished_at: float, text: bytes | pa.Buffer) -> _Place:
    """Write a listing to the end of the file.

    Raises:
        OSError: It is not written, or not whole.
    """
    start = file.tell()
    head = _Head(name, finished_at, len(memoryview(text)))
    for part in (orjson.dumps(list(head)) + b"\n", text):
        left = memoryview(part)
        while left:
            left = left[os.write(file.fileno(), left) :]
    return _Place(start, finished_at)
