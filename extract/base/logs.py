"""The log for machines: one JSON object a line, a file for each UTC day, 30 days kept.

Any module says what happened with `event("load", rows=…)`; it goes nowhere until `start()` gave the
process a file. What a person should read is printed where it happens and is not repeated here.

A day's file never changes its name while it may be written to, so that processes that run at the
same time need no agreement about rotation: each turns to the new day's file by itself, and files
of before yesterday are compressed by whoever comes first.
"""

import logging
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from io import TextIOWrapper
from logging.handlers import BaseRotatingHandler
from pathlib import Path
from typing import Any

import orjson

from extract.base.folders import compress, locked
from extract.base.settings import environment, local_directory

KEEP_DAYS = 30
FILE = re.compile(r"fortytwo-(\d{4}-\d\d-\d\d)\.jsonl(\.gz)?")
SECRETS = re.compile(r"SECRET|PASSWORD|PASSPHRASE|IDENTITY|WEBHOOK_URL|HEARTBEAT_URL")
SHORTEST_SECRET = 8
LONGEST_TEXT = 2000

logger = logging.getLogger("fortytwo")
logger.addHandler(logging.NullHandler())
logger.propagate = False


def event(name: str, /, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log one event; fields that are None are left out."""
    logger.log(level, name, extra={"fields": fields})


def start(run_id: str = "", *, command: str = "") -> None:
    """Give this process its log file. A folder that cannot be written to is said, not raised.

    Args:
        run_id: On every line from now on, so that a line leads to `ops.runs` and back.
        command: What the process does, e.g. `sync live`.
    """
    stop()
    try:
        handler = DailyFile(directory())
    except OSError as error:
        _complain(error)
        return
    handler.setFormatter(JsonLines(run_id, command))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def stop() -> None:
    """Close this process's log file."""
    for handler in logger.handlers[:]:
        if isinstance(handler, DailyFile):
            logger.removeHandler(handler)
            handler.close()


def directory() -> Path:
    """Where the files are."""
    return local_directory() / "logs"


class JsonLines(logging.Formatter):
    """One line a record; anything that equals a secret of the settings is blotted out."""

    def __init__(self, run_id: str, command: str) -> None:
        super().__init__()
        self._constants = {"run": run_id or None, "command": command or None}
        self._secrets = [orjson.dumps(secret).decode()[1:-1] for secret in _secrets()]

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **self._constants,
            **getattr(record, "fields", {}),
        }
        kept = {
            name: value[:LONGEST_TEXT] if isinstance(value, str) else value
            for name, value in fields.items()
            if value is not None
        }
        line = orjson.dumps(kept, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line


class DailyFile(BaseRotatingHandler):
    """Appends to the file of the day; makes the folder (0700) and the files (0600)."""

    def __init__(self, folder: Path, today: Callable[[], date] | None = None) -> None:
        self._folder = folder
        self._today = today or (lambda: datetime.now(UTC).date())
        self._day = self._today()
        self._complained = False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(self._file(), "a", encoding="utf-8", delay=False)
        tidy(folder, self._day)

    def _file(self) -> str:
        return os.fspath(self._folder / f"fortytwo-{self._day}.jsonl")

    def _open(self) -> TextIOWrapper:
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return TextIOWrapper(os.fdopen(handle, "ab", buffering=0), "utf-8", write_through=True)

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 (logging's name)
        """Whether a new day began."""
        return self._today() != self._day

    def doRollover(self) -> None:  # noqa: N802 (logging's name)
        """Turn to the new day's file."""
        if self.stream:
            self.stream.close()
        self._day = self._today()
        self.baseFilename = self._file()
        self.stream = self._open()
        tidy(self._folder, self._day)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """A full disk must not end a run; one sentence says that lines are missing."""
        if not self._complained:
            self._complained = True
            _complain(sys.exc_info()[1])


def tidy(folder: Path, today: date) -> None:
    """Compress what nobody writes to any more and remove what is older than 30 days."""
    with suppress(BlockingIOError), locked(folder / "tidy", wait=False):
        for path in sorted(folder.iterdir()):
            found = FILE.fullmatch(path.name)
            if not found:
                continue
            age = today - date.fromisoformat(found[1])
            if age > timedelta(days=KEEP_DAYS):
                path.unlink(missing_ok=True)
            elif age > timedelta(days=1) and not found[2]:
                with suppress(OSError):  # no room for it: the next process tries again
                    compress(path, path.with_name(f"{path.name}.gz"))
                    path.unlink()


def without_secrets(text: str) -> str:
    """A text in which anything that equals a secret of the settings is blotted out."""
    for secret in _secrets():
        text = text.replace(secret, "***")
    return text


def _secrets() -> list[str]:
    return [
        value
        for name, value in environment().items()
        if SECRETS.search(name) and len(value) >= SHORTEST_SECRET
    ]


def _complain(error: BaseException | None) -> None:
    print(f"No log is written to {directory()}: {error}. The run goes on.", file=sys.stderr)
