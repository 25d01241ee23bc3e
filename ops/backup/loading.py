"""A backup file into an empty database, through pg_restore; decrypted on the way when needed."""

import hashlib
import os
import re
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from extract import programs
from extract.base.errors import MirrorError, UsageError
from ops.backup import age, archive, postgres

ERROR = re.compile(r"^pg_restore: (?:error|fatal): (.*?)\.*\s*$", re.MULTILINE)
MISSING_ROLE = re.compile(r'role "(.+)" does not exist')
# a line of pg_restore --list: numbers, kind, schema, name, owner
OURS = re.compile(rb"^\d+; \d+ \d+ TABLE (raw|mirror) ", re.MULTILINE)
# pg_restore 17 and newer set this in servers that do not know it; restoring goes on all the same
HARMLESS = re.compile(r'unrecognized configuration parameter "transaction_timeout"')


def inspect(file: Path) -> archive.Manifest | None:
    """Look whether a file is a whole backup that can be opened, before anything is touched.

    Raises:
        MirrorError: It is missing, damaged, no backup, or none of the keys opens it.
    """
    if not file.is_file():
        raise UsageError(f"There is no file {file}. The backups are in {archive.folder()}.")
    manifest = archive.Manifest.read(file)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if manifest and digest != manifest.sha256:
        raise MirrorError(
            f"{file} is damaged or cut short (it is not the file whose checksum was taken). Take "
            f"another backup; the newest ones are in {file.parent}."
        )
    with tempfile.TemporaryFile() as listing:
        said = _run(["--list"], file, listing=listing)
        listing.seek(0)
        if not said and not OURS.search(listing.read()):
            said = ["it has no table of the schemas raw and mirror"]
    if said and (fix := postgres.advice(said[0])):
        raise MirrorError(f"{file} cannot be read by the pg_restore that is here: {said[0]}.{fix}")
    if said:
        raise MirrorError(
            f"{file} is no backup of this mirror: {said[0]}. Nothing was changed; the backups are "
            f"in {archive.folder()}."
        )
    return manifest


def load(file: Path, name: str, server_version: int) -> list[str]:
    """Restore into a database; returns the roles whose grants had to be left out.

    Raises:
        MirrorError: pg_restore failed.
    """
    arguments = ["--no-owner", "--no-tablespaces", "--no-password", f"--dbname={name}"]
    missing = set()
    errors = []
    for sentence in _run(arguments, file, name, server_version):
        role = MISSING_ROLE.search(sentence)
        if role:
            missing.add(role[1])
        elif not HARMLESS.search(sentence):
            errors.append(sentence)
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
    return sorted(missing)


def _run(
    arguments: list[str],
    file: Path,
    name: str = "",
    server_version: int = 0,
    listing: IO[bytes] | None = None,
) -> list[str]:
    """Run pg_restore on a backup; returns its errors, and ends it at one that nothing can mend."""
    if name:
        program = programs.program("pg_restore", server_version)
    else:  # listing needs no server, so neither TLS: the newest reads every backup
        program = os.fspath(programs.newest("pg_restore"))
    pipes = {"stdin": subprocess.PIPE, "stdout": listing or subprocess.DEVNULL}
    command = [program, *arguments]
    with postgres.running(command, name or "postgres", **pipes) as (process, said):
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has read enough, or has failed and says why
            age.decrypt(file, process.stdin)
        with suppress(BrokenPipeError):
            process.stdin.close()
        status = process.wait()
        said.seek(0)
        errors = ERROR.findall(said.read().decode(errors="replace"))
    if status != 0 and not errors:
        errors.append(f"pg_restore ended with status {status}")
    return errors
