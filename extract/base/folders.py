"""Folders and files of the mirror's own: in them it may write over and remove what it finds."""

import fcntl
import gzip
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from extract.base.errors import UsageError

MARK = ".fortytwo-mirror"
TEXT = "fortytwo-mirror made this folder and removes what is too old in it.\n"


@cache
def own_folder(setting: str, path: Path, mode: int, earlier: tuple[tuple[str, str], ...]) -> Path:
    """The folder, made when it is missing, with a file in it that says whose it is.

    Args:
        setting: What names the folder, for the message.
        mode: Permissions of a new folder.
        earlier: Patterns of files and a text in them, of which one is there when a version from
            before the mark used the folder.

    Raises:
        UsageError: Somebody else's files are in it.
    """
    mark = path / MARK
    try:
        if not path.exists():
            path.mkdir(parents=True)
            path.chmod(mode)
        there = {entry.name for entry in path.iterdir()} - {"lost+found"}
        if mark.name in there:
            return path
        of_earlier_version = any(
            text.encode() in file.read_bytes()
            for pattern, text in earlier
            for file in list(path.glob(pattern))[:1]
        )
        if there and not of_earlier_version:
            raise UsageError(
                f"{setting} is {path}, where files are that this mirror did not make. It would "
                "write over them and remove what is old: name an empty folder, or a new one."
            )
        mark.touch(mode=0o600)
        mark.write_text(TEXT, encoding="utf-8")
    except OSError:  # whoever needs the folder says what is wrong with it
        pass
    return path


def private_file(path: Path) -> IO[bytes]:
    """A new file that only this user may read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    os.fchmod(handle, 0o600)
    return os.fdopen(handle, "wb")


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old text or the new, never a part."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with private_file(part) as file:
            file.write(text.encode())
        part.chmod(mode)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def compress(path: Path, packed: Path) -> None:
    """Write a file's text compressed into another, which is there whole or not at all."""
    part = packed.with_suffix(".part")
    with path.open("rb") as plain, private_file(part) as file, gzip.open(file, "wb") as target:
        shutil.copyfileobj(plain, target)
    part.replace(packed)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Keep other processes of this machine from a file meanwhile.

    Raises:
        BlockingIOError: Another one is at it, and we do not wait.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with private_file(path.with_suffix(".lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
