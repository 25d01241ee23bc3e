"""Backup files: their names, the note beside each, encryption, and which of them are kept.

`fortytwo-20251121T030000Z.dump` is what pg_dump wrote (custom format); `.dump.age` is the same,
encrypted for the holders of a key (age-encryption.org; the program `age` reads it too). Beside it
`….json` says what the database had at that moment: rows and checksum of every table.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from extract.base.errors import MirrorError, UsageError
from extract.base.folders import private_file
from extract.base.settings import environment, local_directory, number, path_of
from ops.backup.age import recipients

NAME = re.compile(r"(?P<database>.+)-(?P<at>\d{8}T\d{6}Z)\.dump(?P<age>\.age)?")
AT = "%Y%m%dT%H%M%SZ"
KEEP_DAILY, KEEP_WEEKLY = 7, 4


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes:
        tables: Rows and checksum by `schema.table`, in the backup's own moment.
        kept_out_keys: Without them nobody can tell whom ops.kept_out keeps out.
    """

    created_at: str
    database: str
    server: str
    bytes: int
    sha256: str
    tables: dict[str, tuple[int, str]]
    kept_out_keys: list[str] = field(default_factory=list)

    def write(self, backup: Path) -> None:
        """Put it beside the backup; whole or not at all."""
        path = manifest_path(backup)
        unfinished = path.with_name(f"{path.name}.part")
        with private_file(unfinished) as file:
            file.write(json.dumps(asdict(self), indent=1).encode())
        unfinished.replace(path)

    @classmethod
    def read(cls, backup: Path) -> Manifest | None:
        """The one beside a backup; None when there is none that can be read."""
        try:
            values = json.loads(manifest_path(backup).read_text(encoding="utf-8"))
            values["tables"] = {name: tuple(found) for name, found in values["tables"].items()}
            return cls(**values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


@dataclass(frozen=True)
class Backup:
    """A backup file in the folder."""

    path: Path
    database: str
    at: datetime


def folder() -> Path:
    """Where backups go: BACKUP_DIRECTORY, or .local/backups."""
    return path_of("BACKUP_DIRECTORY", local_directory() / "backups")


def new_path(directory: Path, database: str, at: datetime) -> Path:
    """The name of a backup made now."""
    ending = ".dump.age" if recipients() else ".dump"
    return directory / f"{safe(database)}-{at:{AT}}{ending}"


def safe(database: str) -> str:
    """A database's name as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", database)


def manifest_path(backup: Path) -> Path:
    """Where a backup's note is."""
    return backup.with_name(f"{backup.name}.json")


def require_free(path: Path) -> None:
    """Refuse to write over what is no backup.

    Raises:
        UsageError: Such a file is there.
    """
    if Manifest.read(path) is None and (path.exists() or manifest_path(path).exists()):
        raise UsageError(
            f"{path} or the note beside it exists and is no backup of this mirror: it is left as "
            "it is. Name another file."
        )


def backups(directory: Path) -> list[Backup]:
    """The backups of a folder, the newest first; other files are not looked at.

    Raises:
        MirrorError: The folder cannot be looked into.
    """
    found = []
    try:
        for path in directory.iterdir() if directory.is_dir() else ():
            backup = _named(path, path.name)
            if backup and path.is_file():
                found.append(backup)
    except OSError as error:
        raise MirrorError(
            f"The backups in {directory} cannot be looked at: {error.strerror}. Make the folder "
            "yours, mount its disk again, or name another (BACKUP_DIRECTORY)."
        ) from error
    return sorted(found, key=lambda backup: (backup.at, backup.path), reverse=True)


def unfinished(directory: Path, database: str) -> list[Path]:
    """What killed backups of one database have left in the folder."""
    found = []
    for path in directory.glob("*.part"):
        backup = _named(path, path.name.removesuffix(".part").removesuffix(".json"))
        if backup and backup.database == safe(database):
            found.append(path)
    return found


def _named(path: Path, name: str) -> Backup | None:
    """What a backup's name says; None of a name that is none of ours."""
    match = NAME.fullmatch(name)
    if not match:
        return None
    try:
        at = datetime.strptime(match["at"], AT).replace(tzinfo=UTC)
    except ValueError:  # fourteen digits that are no time
        return None
    return Backup(path, match["database"], at)


def superfluous(found: list[Backup], daily: int, weekly: int) -> list[Backup]:
    """Those that no rule keeps: the newest of each of the last days and weeks that have one.

    Days without a backup do not count, so a schedule that stopped never removes the last ones.
    """
    kept: set[Path] = set()
    for length, rule in ((daily, "%Y-%m-%d"), (weekly, "%G-%V")):
        newest: dict[str, Path] = {}
        for backup in found:
            newest.setdefault(f"{backup.at:{rule}}", backup.path)
        kept.update(list(newest.values())[:length])
    return [backup for backup in found if backup.path not in kept]


def kept_backups() -> tuple[int, int]:
    """How many daily and weekly backups stay.

    Raises:
        UsageError: A setting is no number.
    """
    env = environment()
    return (
        number(env, "BACKUP_KEEP_DAILY", KEEP_DAILY),
        number(env, "BACKUP_KEEP_WEEKLY", KEEP_WEEKLY),
    )


def rotate(directory: Path, database: str) -> list[Path]:
    """Remove what no rule keeps of one database's backups; returns what went."""
    daily, weekly = kept_backups()
    own = [  # the note beside it says that we made it; a name proves nothing
        backup
        for backup in backups(directory)
        if backup.database == safe(database) and Manifest.read(backup.path)
    ]
    gone = superfluous(own, max(1, daily), weekly)
    for backup in gone:
        backup.path.unlink(missing_ok=True)
        manifest_path(backup.path).unlink(missing_ok=True)
    return [backup.path for backup in gone]
