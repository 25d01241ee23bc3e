"""`make backup`: everything that is needed to go on, in one file, as it was at one moment.

In it are raw with dlt's own state, mirror, snapshots, ops, reports, and whatever else people keep
in the database; not in it is what `dbt build` makes anew (marts, staging, intermediate). The moment
is chosen under the run lock, so that no load or publication is half in it; the lock is given back
at once, and runs go on while the file is written.
"""

import errno
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from psycopg2.extensions import connection as Connection

from extract import programs
from extract.base import database, logs
from extract.base.errors import BusyError, MirrorError
from extract.base.folders import locked, private_file
from extract.base.lock import new_run_id, patiently, run_lock
from extract.base.query import execute, scalar
from extract.base.settings import local_directory
from extract.people import kept_out
from ops.backup import age, archive, postgres

# gzip, which every pg_dump knows; 3 takes half the time of 6 and a tenth more room
COMPRESSION = "--compress=3"


@dataclass(frozen=True)
class Written:
    """A backup that was made."""

    path: Path
    manifest: archive.Manifest
    seconds: float
    removed: list[Path]
    left_out: list[str]  # schemas of others
    note: str = ""  # what a person must know who will restore it elsewhere


def backup(file: Path | None = None, patience: float = 600.0, keep: str = "") -> Written:
    """Write a backup.

    Args:
        file: Exactly there, and rotation leaves it alone; by default into the folder, rotated.
        patience: Seconds to wait for a run that is at work.
        keep: What the name begins with in place of the database's, which rotation leaves alone.

    Raises:
        MirrorError: It could not be written; no file is left behind.
        BusyError: A run, or another backup, was at work all the time.
    """
    started = time.monotonic()
    logs.start(command="backup")
    keys = age.recipients()  # a wrong key is said before any work
    name = database.libpq_environment()["PGDATABASE"]
    at = datetime.now(UTC)
    folder = file.absolute().parent if file else archive.folder()
    path = file.absolute() if file else archive.new_path(folder, keep or name, at)
    archive.require_free(path)
    with _only_one(folder), _moment(patience) as (connection, snapshot):
        for left in () if file else archive.unfinished(folder, name):
            left.unlink(missing_ok=True)
        if not [schema for schema, _ in postgres.tables(connection) if schema in ("raw", "mirror")]:
            raise MirrorError(
                f"The database {name} has neither raw nor mirror: there is nothing to back up "
                "yet. Run `make sync` first."
            )
        left_out = postgres.unreadable(connection)
        note = _note(connection)
        manifest = _write(connection, snapshot, path, keys, at, left_out)
    removed = [] if file else archive.rotate(folder, name)
    seconds = time.monotonic() - started
    logs.event(
        "backup",
        file=path.name,
        bytes=manifest.bytes,
        tables=len(manifest.tables),
        rows=sum(rows for rows, _ in manifest.tables.values()),
        removed=len(removed),
        left_out=left_out,
        note=note,
        milliseconds=round(1000 * seconds),
    )
    return Written(path, manifest, seconds, removed, left_out, note)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Make the folder, and keep a second backup away meanwhile."""
    with ExitStack() as held:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            held.enter_context(locked(local_directory() / "backup", wait=False))
        except BlockingIOError:
            raise BusyError("Another backup is under way; wait for its end.") from None
        except OSError as error:
            raise _no_room(folder, error) from error
        yield


@contextmanager
def _moment(patience: float) -> Iterator[tuple[Connection, str]]:
    """A transaction that sees one moment between two runs, and the name others can see it by."""
    with database.session("backup reader") as connection:
        with ExitStack() as held:
            patiently(patience, lambda: held.enter_context(run_lock("backup", new_run_id())))
            execute(connection, "begin isolation level repeatable read read only")
            snapshot = scalar(connection, "select pg_export_snapshot()")
        yield connection, str(snapshot)


def _note(connection: Connection) -> str:
    version = connection.server_version
    if not postgres.kept_to_its_server(connection, programs.program("pg_dump", version)):
        return ""
    return (
        f"Only a server like this PostgreSQL {version // 10000} can restore it: no pg_dump of that "
        f"version is installed here, and ours writes down what no other server knows. Install the "
        f"package postgresql-client-{version // 10000}, then make another backup."
    )


def _write(
    connection: Connection,
    snapshot: str,
    path: Path,
    keys: list[object],
    at: datetime,
    left_out: list[str],
) -> archive.Manifest:
    unfinished = path.with_name(f"{path.name}.part")
    values = database.libpq_environment()
    try:
        with ThreadPoolExecutor(1) as pool:
            version = connection.server_version
            dump = pool.submit(_dump, snapshot, unfinished, keys, version, left_out)
            tables = postgres.checksums(connection, left_out)
            size, digest = dump.result()
        moment = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        manifest = archive.Manifest(
            moment,
            values["PGDATABASE"],
            f"PostgreSQL {version // 10000}",
            size,
            digest,
            tables,
            kept_out.read_keys(),
        )
        manifest.write(path)
        unfinished.replace(path)
    except OSError as error:
        raise _no_room(path, error) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return manifest


def _dump(
    snapshot: str, path: Path, keys: list[object], server_version: int, left_out: list[str]
) -> tuple[int, str]:
    """Run pg_dump into a file; returns its size and sha256."""
    command = [
        programs.program("pg_dump", server_version),
        "--format=custom",
        COMPRESSION,
        f"--snapshot={snapshot}",
        "--no-password",
        "--lock-wait-timeout=60s",
        *(f"--exclude-schema={_quoted(schema)}" for schema in (*postgres.REBUILT, *left_out)),
        *(f"--exclude-table={table}" for table in postgres.REBUILT_TABLES),
    ]
    name = database.libpq_environment()["PGDATABASE"]
    running = postgres.running(command, name, stdout=subprocess.PIPE)
    with private_file(path) as file, running as (process, said):
        assert process.stdout is not None
        writer = age.HashingWriter(file)
        with process.stdout:
            age.encrypt(process.stdout, writer, keys)
        file.flush()
        os.fsync(file.fileno())
        if process.wait() != 0:
            said.seek(0)
            cause = " ".join(said.read().decode(errors="replace").split())[:600]
            raise MirrorError(
                f"The backup failed and no file is left behind: {cause}.{postgres.advice(cause)}"
            )
    return writer.bytes, writer.sha256


def _quoted(schema: str) -> str:
    """A name as pg_dump takes it for that one name, and not for a pattern."""
    doubled = schema.replace('"', '""')
    return f'"{doubled}"'


def _no_room(path: Path, error: OSError) -> MirrorError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return MirrorError(
            f"The disk that {path.parent} is on is full: the backup was not written, and no part "
            "of it is left. The backups before it are untouched. Free some space, or put "
            "BACKUP_DIRECTORY=/another/path into .env."
        )
    return MirrorError(
        f"The backup cannot be written to {path}: {error.strerror}. Make the folder writable, or "
        "put BACKUP_DIRECTORY=/another/path into .env."
    )
