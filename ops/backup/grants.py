"""Rights that a backup holds, given one by one: one that cannot be given takes no other along.

pg_restore sends all rights to one table as one command, which fails whole when one role is missing.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

from extract.base.errors import MirrorError
from extract.base.query import execute, scalar
from ops.backup import loading

# a line of pg_restore --list
RIGHTS = re.compile(rb"^\d+; \d+ \d+ (?:DEFAULT )?ACL .*\n", re.MULTILINE)
# whose rights somebody else gave on is not restored, nor is who owned what
STATEMENT = re.compile(
    r"^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES) .*?;$", re.MULTILINE | re.DOTALL
)
ROLE = r'("(?:[^"]|"")+"|[^\s;"]+)'
GIVEN_TO = re.compile(rf"\b(?:TO|FROM) {ROLE}(?: WITH GRANT OPTION)?;$")
DEFAULTS_OF = re.compile(rf"^ALTER DEFAULT PRIVILEGES FOR ROLE {ROLE}")


def restore_grants(file: Path, connection: Connection) -> tuple[list[str], list[str]]:
    """Give the rights of a backup in a database that it was restored into.

    Args:
        file: The backup.
        connection: To that database, in autocommit mode.

    Returns:
        The roles that this server does not have, and those whose default privileges this role may
        not set: their rights were left out.

    Raises:
        MirrorError: The rights cannot be read, or the server refuses one for another reason.
    """
    missing, of_others = set(), set()
    for statement in _statements(file):
        try:
            execute(connection, statement)
        except (psycopg2.errors.UndefinedObject, psycopg2.errors.InsufficientPrivilege) as error:
            to, defaults = GIVEN_TO.search(statement), DEFAULTS_OF.search(statement)
            if to and _is_missing(connection, to[1]):
                missing.add(to[1].strip('"'))
            elif defaults:
                of_others.add(defaults[1].strip('"'))
            else:
                raise MirrorError(
                    f"The backup could not be restored: {' '.join(str(error).split())}. What was "
                    "restored of it is removed."
                ) from error
    return sorted(missing), sorted(of_others)


def _statements(file: Path) -> Iterator[str]:
    with tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile() as chosen:
        said = loading.run(["--list"], file, output=output)
        output.seek(0)
        chosen.writelines(RIGHTS.findall(output.read()))
        chosen.flush()
        output.seek(0)
        output.truncate()
        arguments = ["--no-owner", f"--use-list={chosen.name}", "--file=-"]
        said += loading.run(arguments, file, output=output)
        if said:
            raise MirrorError(f"The rights in {file} cannot be read: {said[0].said}.")
        output.seek(0)
        for found in STATEMENT.finditer(output.read().decode()):
            yield found[0]


def _is_missing(connection: Connection, role: str) -> bool:
    return role != "PUBLIC" and scalar(connection, "select to_regrole(%s)", (role,)) is None
