"""A backup file into an empty database, through pg_restore; decrypted on the way when needed."""

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from extract import programs
from extract.base.errors import MirrorError, UsageError
from ops.backup import age, archive, postgres

ERROR = re.compile(r"pg_restore: (?:error|fatal): (.*)")
# a line of pg_restore --list: numbers, kind, schema, name, owner
OURS = re.compile(rb"^\d+; \d+ \d+ TABLE (raw|mirror) ", re.MULTILINE)
# Commands that may fail, by their own words: the server's may be in any language. pg_restore 17 and
# newer set the limit in servers that do not know it; without its policy a table shows its owner's
# rows to nobody else.
HARMLESS = "SET transaction_timeout "
OF_ROLES = "CREATE POLICY "


class Refused(NamedTuple):
    """An error of pg_restore, and the command that it was for, cut short."""

    said: str
    command: str = ""


def inspect(file: Path) -> archive.Manifest | None:
    """Look whether a file is a whole backup that can be opened, before anything is touched.

    Raises:
        MirrorError: It is missing, damaged, no backup, or none of the keys opens it.
    """
    require_file(file)
    manifest = archive.Manifest.read(file)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if manifest and digest != manifest.sha256:
        raise MirrorError(
            f"{file} is damaged or cut short (it is not the file whose checksum was taken). Take "
            f"another backup; the newest ones are in {file.parent}."
        )
    with tempfile.TemporaryFile() as listing:
        said = run(["--list"], file, output=listing)
        listing.seek(0)
        if not said and not OURS.search(listing.read()):
            said = [Refused("it has no table of the schemas raw and mirror")]
    if said and (fix := postgres.advice(said[0].said)):
        raise MirrorError(
            f"{file} cannot be read by the pg_restore that is here: {said[0].said}.{fix}"
        )
    if said:
        raise MirrorError(
            f"{file} is no backup of this mirror: {said[0].said}. Nothing was changed; the backups "
            f"are in {archive.folder()}."
        )
    return manifest


def require_file(file: Path) -> None:
    """Refuse a path without a file.

    Raises:
        UsageError: There is none.
    """
    if not file.is_file():
        raise UsageError(f"There is no file {file}. The backups are in {archive.folder()}.")


def load(file: Path, name: str, server_version: int) -> list[str]:
    """Restore into a database, but for the rights, which `restore_grants` gives.

    Returns:
        The policies that had to be left out, as their commands begin.

    Raises:
        MirrorError: pg_restore failed.
    """
    options = ("owner", "privileges", "tablespaces", "password")
    arguments = [*(f"--no-{option}" for option in options), f"--dbname={name}"]
    refused = run(arguments, file, name, server_version)
    errors = [error.said for error in refused if not error.command.startswith((HARMLESS, OF_ROLES))]
    if errors:
        full = any("No space left on device" in sentence for sentence in errors)
        raise MirrorError(
            (
                "The database's disk is full: the backup was not restored. Free some space there, "
                "then run the command again."
                if full
                else f"The backup could not be restored: {errors[0]}.{postgres.advice(errors[0])}"
            )
            + " What was restored of it is removed."
        )
    return [error.command for error in refused if error.command.startswith(OF_ROLES)]


def run(
    arguments: list[str],
    file: Path,
    name: str = "",
    server_version: int = 0,
    output: IO[bytes] | None = None,
) -> list[Refused]:
    """Run pg_restore on a backup; returns its errors.

    Args:
        name: The database that it restores into; without one it needs no server.
        output: Where what it prints goes.

    Raises:
        MirrorError: The backup cannot be decrypted, or no pg_restore fits.
    """
    if name:
        program = programs.program("pg_restore", server_version)
    else:  # no server, so neither TLS: the newest reads every backup
        program = os.fspath(programs.newest("pg_restore"))
    pipes = {"stdin": subprocess.PIPE, "stdout": output or subprocess.DEVNULL}
    command = [program, *arguments]
    with postgres.running(command, name or "postgres", **pipes) as (process, said):
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has read enough, or has failed and says why
            age.decrypt(file, process.stdin)
        with suppress(BrokenPipeError):
            process.stdin.close()
        status = process.wait()
        said.seek(0)
        errors = _refused(said.read().decode(errors="replace").splitlines())
    if status != 0 and not errors:
        errors.append(Refused(f"pg_restore ended with status {status}"))
    return errors


def _refused(lines: Iterable[str]) -> list[Refused]:
    errors: list[Refused] = []
    for line in map(str.strip, lines):
        if found := ERROR.match(line):
            errors.append(Refused(found[1].rstrip(".")))
        elif errors and line.startswith("Command was: "):
            errors[-1] = Refused(errors[-1].said, line.removeprefix("Command was: "))
    return errors
