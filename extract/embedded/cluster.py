"""Making the data directory of the embedded server."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from extract.embedded.place import Place, binary, environment, failure
from extract.embedded.user import as_user, give, give_all, named_user

SHELL_READS = re.compile(r'["$`\\]')  # even in double quotes
NAME = "fortytwo"  # of the superuser and of the database


def create(place: Place) -> None:
    """Make the data directory beside its place and move it there whole.

    Raises:
        MirrorError: A PostgreSQL program failed; nothing is left behind.
    """
    # A user without a name cannot run initdb; the files are handed over before the server runs.
    creator = named_user(place.user)
    shutil.rmtree(place.new, ignore_errors=True)
    place.new.mkdir(mode=0o700)
    give(place.new, creator)
    cluster = (
        *("--username", NAME, "--encoding=UTF8", "--no-locale"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),  # the same order everywhere
        *("--auth-local=trust", "--auth-host=reject", "--no-instructions"),
    )
    with _fit_for_initdb(binary("initdb")) as initdb:
        _run(place, as_user(creator, initdb, *cluster, "-D", str(place.new)))
    single = as_user(creator, binary("postgres"), "--single", "-D", str(place.new), "postgres")
    _run(place, single, f"create database {NAME}\n")
    with (place.new / "postgresql.conf").open("a") as configuration:
        configuration.write("\ninclude 'fortytwo.conf'\n")
    give_all(place.new, place.user)
    with suppress(FileNotFoundError):
        place.data.rmdir()
    place.new.rename(place.data)


def _run(place: Place, command: list[str], text: str = "") -> None:
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, cwd="/", env=environment()
    )
    # The single-user server reports a failed statement and ends well all the same.
    if done.returncode != 0 or "ERROR:" in done.stderr:
        shutil.rmtree(place.new, ignore_errors=True)
        raise failure("created", place, done.stderr)


@contextmanager
def _fit_for_initdb(initdb: Path) -> Iterator[Path]:
    """Initdb itself, or where a shell cannot read its path, a copy of it and of the server.

    It starts the server of its own folder by a shell, with the path in double quotes.
    """
    if not SHELL_READS.search(os.fspath(initdb)):
        yield initdb
        return
    package, install = initdb.parents[2], initdb.parents[1]
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="fortytwo-initdb-") as directory:
        copy = Path(directory, package.name, install.name)
        (copy / "bin").mkdir(parents=True)
        for folder in (Path(directory), *copy.parents[:2], copy, copy / "bin"):
            folder.chmod(0o755)
        libraries = f"{package.name}.libs"
        Path(directory, libraries).symlink_to(package.with_name(libraries))
        for name in ("lib", "share"):
            (copy / name).symlink_to(install / name)
        for name in ("initdb", "postgres"):
            shutil.copy(install / "bin" / name, copy / "bin")
            (copy / "bin" / name).chmod(0o755)
        yield copy / "bin" / "initdb"
