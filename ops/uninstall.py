"""`make uninstall`: everything that the mirror has made on this machine and in its database.

Backups stay, and so do `.env`, the quota that other checkouts share, and whatever is not ours.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import sql

from extract import embedded
from extract.base import database
from extract.base.errors import MirrorError
from extract.base.lock import new_run_id, run_lock
from extract.base.query import execute
from extract.base.settings import ROOT, local_directory, working_directory
from extract.tables.ownership import schemas
from ops.backup import archive, databases
from ops.backup.restore import READER_ROLE
from ops.schedule import crontab, units
from ops.site.pages import site_directory

STATE = (
    *("alerts.json", "alerts.lock", "backup.lock", "cache", "dbt", "jobs.json", "jobs.lock"),
    *("fortytwo.duckdb", "fortytwo.duckdb.wal", "lake", "listings", "logs"),
    *("postgres", "postgres.held", "postgres.lock", "postgres.log", "postgres.log.1.gz"),
    *("postgres.new", "scheduler.alive", "socket", "spark", "state"),
)
# what stands elsewhere and needs something that is to go
READERS = """
    select distinct relation.oid::regclass::text
    from pg_depend as link
    inner join pg_class as source on source.oid = link.refobjid
    left join pg_rewrite as rule on link.classid = 'pg_rewrite'::regclass and rule.oid = link.objid
    left join pg_constraint as key
        on link.classid = 'pg_constraint'::regclass and key.oid = link.objid
    inner join pg_class as relation on relation.oid = coalesce(rule.ev_class, key.conrelid)
    where link.refclassid = 'pg_class'::regclass
        and source.relnamespace::regnamespace::text = any(%(schemas)s)
        and not relation.relnamespace::regnamespace::text = any(%(schemas)s)
    union
    select relation.oid::regclass::text
    from pg_class as relation
    where relation.relnamespace::regnamespace::text = any(%(schemas)s)
        and not pg_has_role(relation.relowner, 'usage')
"""


@dataclass(frozen=True)
class Part:
    """Something to remove."""

    name: str
    remove: Callable[[], object]


def parts() -> list[Part]:
    """What is there, in the order in which it can go.

    Raises:
        MirrorError: Something of somebody else's stands on it, or backups lie in it.
    """
    return [*_schedule(), *_database(), *_files()]


@contextmanager
def nothing_at_work() -> Iterator[None]:
    """Hold the run lock, where there can be a run that holds it.

    Raises:
        BusyError: A run is at work.
    """
    if database.uses_embedded_server() and not embedded.status().running:
        yield
    else:
        with run_lock("uninstall", new_run_id()):
            yield


def _schedule() -> list[Part]:
    found = []
    if crontab.installed_block(crontab.read(where_allowed=True)):
        found.append(Part("the schedule in your crontab", crontab.remove))
    place = units.default_directory()
    if units.checkout(place) == ROOT:
        timers = sorted(place.glob(f"{units.NAME}[@-]*"))
        found.append(Part(f"the timers in {place}", lambda: _remove_timers(timers)))
    return found


def _remove_timers(paths: list[Path]) -> None:
    program = shutil.which("systemctl")
    scope = [] if paths[0].parent == Path("/etc/systemd/system") else ["--user"]
    timers = [path.name for path in paths if path.suffix == ".timer"]
    if program:
        subprocess.run([program, *scope, "disable", "--now", *timers], check=False)
    for path in paths:
        path.unlink()


def _database() -> list[Part]:
    if database.uses_embedded_server():
        return []  # its files are the database
    with database.session("uninstall") as connection:
        owned = execute(
            connection,
            "select nspname from pg_namespace where nspname = any(%s) "
            "and pg_has_role(nspowner, 'usage')",
            (schemas(),),
        )
        there = [name for (name,) in owned]
        foreign = {name for (name,) in execute(connection, READERS, {"schemas": there})}
        foreign |= {  # without our mark: to drop a schema would take it along
            name
            for name, kind, is_ours in databases.objects(connection)
            if name.partition(".")[0] in there and kind != "schema" and not is_ours
        }
        if foreign:
            raise MirrorError(
                f"{', '.join(sorted(foreign))}: not made by the mirror, and stands in or on what "
                "is to go. Drop or move it first. Nothing was removed."
            )
        role = execute(connection, "select from pg_roles where rolname = %s", (READER_ROLE,))
    found = []
    if there:
        found.append(Part(f"the schemas {', '.join(there)}", lambda: _drop(there)))
    if role:
        found.append(Part(f"the role {READER_ROLE}, if no other database needs it", _drop_role))
    return found


def _drop(names: list[str]) -> None:
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    with database.session("uninstall") as connection:
        execute(connection, sql.SQL("drop schema {} cascade").format(listed))


def _drop_role() -> None:
    try:
        with database.session("uninstall") as connection:
            execute(connection, sql.SQL("drop role {}").format(sql.Identifier(READER_ROLE)))
    except psycopg2.errors.DependentObjectsStillExist:
        pass  # another mirror on this server
    except psycopg2.errors.InsufficientPrivilege as error:
        raise MirrorError(
            f"The role {READER_ROLE} is not ours to drop. Let an administrator run: drop role "
            f"{READER_ROLE};"
        ) from error


def _files() -> list[Part]:
    local, site = local_directory(), site_directory()
    places = [*(local / name for name in STATE), *map(working_directory, ("dlt", "dlt-copy"))]
    state = [place for place in places if place.exists()]
    pages = [*site.glob("*.html"), site / "images"] if site.is_dir() else []
    saved = archive.folder().resolve()
    if archive.backups(saved):
        for place in map(Path.resolve, [*state, *pages]):
            if saved.is_relative_to(place):
                raise MirrorError(
                    f"The backups in {saved} lie in {place}, which is to go, and backups stay. "
                    "Move them elsewhere and name that place (BACKUP_DIRECTORY). Nothing was "
                    "removed."
                )
    found = []
    if state:
        found.append(Part(f"the state in {local} (backups stay)", lambda: _remove(state, local)))
    if pages:
        found.append(Part(f"the pages in {site}", lambda: _remove(pages, site)))
    return found


def _remove(paths: list[Path], folder: Path) -> None:
    embedded.remove()
    shutil.rmtree(embedded.socket_directory(), ignore_errors=True)
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def kept() -> str:
    """Where the backups are that stay."""
    backups = archive.backups(archive.folder())
    return f"Backups that stay in {archive.folder()}: {len(backups)}." if backups else ""
