"""Making the data directory of the embedded server."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress

from extract.embedded.place import Place, binary, environment, failure
from extract.embedded.user import as_user, give, give_all, named_user

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
        *(
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ),  # the same order everywhere
        *("--auth-local=trust", "--auth-host=reject", "--no-instructions"),
    )
    steps = (
        (as_user(creator, binary("initdb"), *cluster, "-D", str(place.new)), ""),
        (
            as_user(
                creator,
                binary("postgres"),
                "--single",
                "-D",
                str(place.new),
                "postgres",
            ),
            f"create database {NAME}\n",
        ),
    )
    for command, text in steps:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=environment(),
        )
        # The single-user server reports a failed statement and ends well all the same.
        if done.returncode != 0 or "ERROR:" in done.stderr:
            shutil.rmtree(place.new, ignore_errors=True)
            raise failure("created", place, done.stderr)
    with (place.new / "postgresql.conf").open("a") as configuration:
        configuration.write("\ninclude 'fortytwo.conf'\n")
    give_all(place.new, place.user)
    with suppress(FileNotFoundError):
        place.data.rmdir()
    place.new.rename(place.data)
