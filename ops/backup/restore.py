"""`make restore` and `make restore-drill`: a backup back into a database, held against its note.

A restore never destroys what it may fail to replace: with `--force` the backup goes into a new
database first, and only when every table has the rows and the checksum that the backup's note
says, the two change places.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base import database, logs
from extract.base.errors import MirrorError, UsageError
from extract.base.lock import new_run_id, run_lock
from extract.base.query import execute, exists, scalar
from extract.base.settings import environment
from extract.base.usable import RESTORING, require_usable
from extract.load.record import create_schema
from extract.people import kept_out
from extract.people.erase import erase, everybody
from extract.tables.ownership import refuse_foreign_objects, schemas
from ops.backup import age, archive, databases, loading, postgres
from ops.backup.grants import restore_grants

READER_ROLE = "mirror_reader"
DRILL_DATABASE = "RESTORE_DRILL_DATABASE"
# marts and staging are not in a backup: the next sync must build, whatever raw says
FORGET_SIGNATURE = """
    update ops.runs set raw_signature = null
    where published_at = (select max(published_at) from ops.runs)
"""
BEGIN = "create schema raw_staging; comment on schema raw_staging is %s"


@dataclass
class Restored:
    """What a restore did.

    Attributes:
        compared: Every table has the rows and the checksum of the backup's note.
        notes: What a person should know: missing roles, repeated erasures.
    """

    path: Path
    database: str
    tables: dict[str, tuple[int, str]]
    compared: bool
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


def restore(file: Path, name: str = "", *, force: bool = False) -> Restored:
    """Bring a backup back.

    Args:
        file: The backup.
        name: The database to restore into; created when it is missing. Default: the mirror's.
        force: Replace a database that is not empty.

    Raises:
        MirrorError: Nothing was replaced; the message says why.
    """
    started = time.monotonic()
    logs.start(command="restore")
    manifest = loading.inspect(file)
    name = name or database.libpq_environment()["PGDATABASE"]
    database.ensure_server()
    exists, empty = databases.state(name)
    if exists and not empty and not force:
        raise UsageError(
            f"The database {name} is not empty, and a restore never mixes. Restore beside it "
            f"(make restore FILE={file} DATABASE=another_name), or replace it "
            f"(make restore FILE={file} FORCE=1): it is dropped once the backup has been restored "
            "and compared."
        )
    kept_out.add_keys(manifest.kept_out_keys if manifest else ())
    if exists and empty:
        done = _fill(file, manifest, name)
    elif not exists:
        done = _fill_new(file, manifest, name)
    else:
        done = _replace(file, manifest, name)
    done.notes += _unknown_kept_out(name)
    done.seconds = time.monotonic() - started
    rows = sum(count for count, _ in done.tables.values())
    logs.event("restore", file=file.name, database=name, rows=rows, compared=done.compared)
    return done


def drill(file: Path | None = None) -> Restored:
    """Restore a backup, the newest by default, into a scratch database, compare, drop it.

    Raises:
        MirrorError: It cannot be restored, or differs from what was backed up.
    """
    started = time.monotonic()
    logs.start(command="restore-drill")
    if file is None:
        found = archive.backups(archive.folder())
        if not found:
            raise UsageError(f"There is no backup in {archive.folder()} yet: run `make backup`.")
        file = found[0].path
    manifest = loading.inspect(file)
    if manifest is None:
        raise MirrorError(
            f"{archive.manifest_path(file)} is missing: without it nobody knows what {file.name} "
            "should hold. Run `make backup`, then the drill again."
        )
    name = database.libpq_environment()["PGDATABASE"]
    database.ensure_server()
    if given := environment().get(DRILL_DATABASE, ""):  # which is empty before and after
        require_drill_database(given, name)
        with database.session("restore", given) as connection:
            before = databases.everything(connection)
            done = _fill(file, manifest, given)
            databases.empty(connection, before)
    else:
        with _scratch(name, "drill") as scratch:
            done = _fill(file, manifest, scratch)
            databases.drop(scratch)
    done.seconds = time.monotonic() - started
    rows = sum(count for count, _ in done.tables.values())
    logs.event("restore_drill", file=done.path.name, tables=len(done.tables), rows=rows)
    return done


@contextmanager
def _scratch(name: str, purpose: str) -> Iterator[str]:
    """A new database beside one; it goes on failure, and with the next one if we are killed."""
    databases.drop_leftovers(name)
    scratch = f"{name}_{purpose}_{_stamp()}"
    databases.create(scratch, like=name)
    try:
        with database.session("restore", scratch):  # one that nobody uses would be a leftover
            databases.mark_scratch(scratch)
            yield scratch
    except BaseException:
        databases.drop(scratch)
        raise


def require_drill_database(given: str, name: str) -> None:
    """Refuse a database that a drill cannot use.

    Raises:
        MirrorError: It is the mirror's, missing or not empty, or lets nobody in.
    """
    if given == name:
        raise UsageError(
            f"{DRILL_DATABASE} is {given}, which is the mirror's own database. Name another."
        )
    exists, is_empty = databases.state(given)
    if not exists:
        role = database.libpq_environment()["PGUSER"]
        raise UsageError(
            f"{DRILL_DATABASE} is {given}, which does not exist. Let an administrator run: create "
            f"database {given} owner {role} encoding 'UTF8' template template0; (docs/install.md)."
        )
    if not is_empty:
        with database.session("restore", given) as connection:
            found = [f"{found} ({kind})" for found, kind, _ in databases.objects(connection)]
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise UsageError(
            f"{DRILL_DATABASE} is {given}, which is not empty: {', '.join(found[:5])}{more}. Drop "
            "what is in it if nobody needs it, or name an empty database of the drill's own."
        )


def drill_obstacle() -> str:
    """Why a drill cannot be done on this machine; empty when it can.

    Neither is a fault: the key is best kept elsewhere, and a server of one's own need not let this
    role make databases.
    """
    if age.recipients() and not environment().get("BACKUP_AGE_IDENTITY"):
        return "backups are encrypted, and BACKUP_AGE_IDENTITY is not set here"
    # the embedded server is all ours
    if environment().get(DRILL_DATABASE) or database.uses_embedded_server():
        return ""
    query = "select rolcreatedb or rolsuper from pg_roles where rolname = current_user"
    with database.session("restore") as connection:
        if scalar(connection, query):
            return ""
    return f"this role may not create databases, and {DRILL_DATABASE} names none (docs/install.md)"


def _fill_new(file: Path, manifest: archive.Manifest | None, name: str) -> Restored:
    """Restore beside the name and give the name last, so that it never names a half."""
    with _scratch(name, "restoring") as fresh:
        done = _fill(file, manifest, fresh)
        databases.rename(fresh, name)
    databases.describe(name, None)
    done.database = name
    return done


def _fill(file: Path, manifest: archive.Manifest | None, name: str) -> Restored:
    """Restore into an empty database and compare; on failure it is empty again."""
    with database.session("restore", name) as connection:
        require_usable(connection)
        before = databases.everything(connection)
        notes = _make_reader_role(connection)
        execute(connection, BEGIN, (RESTORING,))
        try:
            policies = loading.load(file, name, connection.server_version)
            missing, of_others = restore_grants(file, connection)
            found = postgres.checksums(connection)
            wrong = postgres.differences(manifest.tables, found) if manifest else []
            if wrong:
                raise MirrorError(
                    f"The restored database differs from the backup's note: {'; '.join(wrong)}. "
                    "Take another backup; what was restored is dropped."
                )
            create_schema(connection)  # what a backup leaves out of ops, and what is newer than it
            execute(connection, FORGET_SIGNATURE)
            execute(connection, "drop schema raw_staging")
        except BaseException:
            databases.empty(connection, before)
            raise
        if missing:
            notes.append(
                f"Grants to {', '.join(missing)} were left out: this server has no such role. "
                f"Create it and grant it {READER_ROLE} again."
            )
        if policies:
            notes.append(
                "Policies were left out, mostly for a role that this server does not have, and "
                f"nobody but the owner sees the rows: {'; '.join(policies)}"
            )
        if of_others:
            notes.append(
                f"Default privileges of {', '.join(of_others)} were left out: this role may not "
                f"set them. `make sync` gives {READER_ROLE} those of this role."
            )
        execute(connection, "analyze")
        return Restored(file, name, found, compared=manifest is not None, notes=notes)


def _replace(file: Path, manifest: archive.Manifest | None, name: str) -> Restored:
    """Restore beside the database, then let the two change places."""
    old = f"{name}_replaced_{_stamp()}"
    comment, connections = databases.comment_and_limit(name)
    with _scratch(name, "restoring") as fresh:
        with run_lock("restore", new_run_id()):
            refused = databases.hand_over(name, fresh)
            done = _fill(file, manifest, fresh)
            _refuse_to_drop_foreign_objects(name, fresh)
            done.notes += _keep_erased(name, fresh)
        databases.rename(name, old)
        try:
            databases.rename(fresh, name)
        except BaseException:
            databases.rename(old, name)
            raise
    databases.describe(name, comment)
    databases.limit(name, connections)
    databases.mark_scratch(old)
    databases.drop(old)
    done.database = name
    if refused:
        done.notes.append(
            "This role may not give the new database all that the replaced one had. Let an "
            f"administrator run: {' '.join(refused)}"
        )
    return done


def _refuse_to_drop_foreign_objects(name: str, fresh: str) -> None:
    """A database that is replaced is dropped: only what is ours, or comes back, may be in it."""
    with database.session("restore", name) as old, database.session("restore", fresh) as new:
        refuse_foreign_objects(old)
        back = {
            (found, kind)
            for found, kind, _ in databases.objects(new)
            if kind not in databases.WITH_ROWS
        }
        lost = [
            f"{found} ({kind})"
            for found, kind, is_ours in databases.objects(old)
            if not is_ours
            and (found, kind) not in back
            and not (kind == "schema" and found in schemas())
        ]
    if lost:
        raise UsageError(
            f"The database {name} also holds what this mirror did not make, and it would be "
            f"dropped: {', '.join(lost)}. Nothing was replaced. Restore beside it (make restore "
            "FILE=… DATABASE=another_name) and name that one as PGDATABASE, or let the owner move "
            "them elsewhere."
        )


def _keep_erased(old: str, fresh: str) -> list[str]:
    """Whoever was erased after the backup stays erased: the replaced database knows them."""
    with database.session("restore", old) as source, database.session("restore", fresh) as target:
        if not exists(source, "ops.kept_out"):
            return []
        create_schema(source)
        kept_out.load(source)  # a missing key is said before anything is replaced
        for row in execute(source, "select person, since, key_id from ops.kept_out"):
            execute(
                target,
                "insert into ops.kept_out (person, since, key_id) values (%s, %s, %s) "
                "on conflict do nothing",
                row,
            )
        people = kept_out.load(target)
        back = [user for user in everybody(target) if user in people] if people else []
        if back:
            erase(target, back, "erased before, came back with a backup", new_run_id())
    return [f"{len(back)} people who had been erased were erased again."] if back else []


def _unknown_kept_out(name: str) -> list[str]:
    """What a person must know when the key is missing: the next run will refuse to start."""
    try:
        with database.session("restore", name) as connection:
            kept_out.load(connection)
    except UsageError as error:
        return [str(error)]
    return []


def _make_reader_role(connection: Connection) -> list[str]:
    if scalar(connection, "select to_regrole(%s)", (READER_ROLE,)):
        return []
    try:
        execute(connection, sql.SQL("create role {} nologin").format(sql.Identifier(READER_ROLE)))
    except psycopg2.errors.InsufficientPrivilege:
        return [f"The role {READER_ROLE} is missing here and you may not create roles."]
    except (psycopg2.errors.DuplicateObject, psycopg2.errors.UniqueViolation):
        pass  # somebody was quicker
    return []


def _stamp() -> str:
    return f"{datetime.now(UTC):%Y%m%dt%H%M%S}"
