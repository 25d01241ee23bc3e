"""The scheduler's sign of life: a file whose age says that it runs."""

import time
from pathlib import Path

from extract.base.settings import local_directory

SILENT_FOR = 120.0


def beat() -> None:
    """Give a sign of life."""
    heartbeat().parent.mkdir(parents=True, exist_ok=True)
    heartbeat().touch()


def silence() -> float | None:
    """Seconds since the last sign of life; None when there never was one."""
    try:
        return time.time() - heartbeat().stat().st_mtime
    except OSError:
        return None


def heartbeat() -> Path:
    """The file."""
    return local_directory() / "scheduler.alive"
