"""Folders of the mirror's own: in them it may write over and remove what it finds."""

from __future__ import annotations

from functools import cache
from pathlib import Path

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
