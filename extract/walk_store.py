"""Complete walks on disk until their rows are loaded: a killed run repeats one walk at most."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import ipc

from extract.contract import CONTRACTS
from extract.walks import Finished, Walk


class WalkStore:
    """Complete walks on disk (0600), waiting to be loaded.

    A file's name is the hash of what was asked, so that only the very same question is answered
    from it; files older than `max_age` seconds are no answer any more.
    """

    def __init__(self, directory: Path, max_age: float = 6 * 3600.0) -> None:
        self._directory, self._max_age = directory, max_age
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def get(self, walk: Walk, api_url: str) -> Finished | None:
        """The kept rows of this very walk, if an interrupted run left them."""
        path = self._path(walk, api_url)
        try:
            if not self._is_fresh(path):
                return None
            with ipc.open_file(path) as file:
                table = file.read_all()
        except (OSError, pa.ArrowException):
            return None
        if table.schema.remove_metadata() != CONTRACTS[walk.table].schema():
            return None
        return Finished(walk, table, 0, 0, path.stat().st_mtime)

    def put(self, finished: Finished, api_url: str) -> None:
        """Keep a complete walk; whole or not at all."""
        # neither Parquet nor compressed: for the few rows of a file both cost more than they save
        text = pa.BufferOutputStream()
        with ipc.new_file(text, finished.table.schema) as rows:
            rows.write_table(finished.table)
        path = self._path(finished.walk, api_url)
        unfinished = f"{path}.{os.getpid()}.part"
        try:
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(text.getvalue())
            Path(unfinished).replace(path)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise

    def drop(self, walks: Sequence[Walk], api_url: str) -> None:
        """Forget walks whose rows are loaded."""
        for walk in walks:
            self._path(walk, api_url).unlink(missing_ok=True)

    def clear_old(self) -> None:
        """Remove what no run will ask for any more."""
        for path in self._directory.iterdir():
            if not self._is_fresh(path):
                path.unlink(missing_ok=True)

    def _is_fresh(self, path: Path) -> bool:
        # a time to come is one that a wrong clock wrote: nobody knows how old the file is
        age = time.time() - path.stat().st_mtime
        return -60 <= age <= self._max_age

    def _path(self, walk: Walk, api_url: str) -> Path:
        api = hashlib.sha256(api_url.encode()).hexdigest()[:8]
        return self._directory / f"{walk.table}-{api}-{walk.question}.arrow"
