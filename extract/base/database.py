"""Which PostgreSQL the mirror uses, and connections to it.

libpq's own variables decide (environment first, then `.env`): with none of them set it is the
embedded server, with any of them set it is theirs and libpq's defaults fill in the rest.
"""

from __future__ import annotations

import os
import pwd
import time
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

from extract import embedded
from extract.base.errors import MirrorError, UsageError
from extract.base.settings import environment

VARIABLES = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE")
OLDEST_VERSION = 15
STARTING_SECONDS = 30
NOT_YET = (
    "starting up",
    "shutting down",
    "recovery mode",
    "not yet accepting connections",
)


def uses_embedded_server() -> bool:
    """Whether none of libpq's variables is set."""
    env = environment()
    return not any(env.get(name) for name in VARIABLES)


def libpq_environment() -> dict[str, str]:
    """The values of PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE in effect, all of them.

    An empty PGPASSWORD means none: libpq then looks into ~/.pgpass.

    Raises:
        UsageError: A variable holds something that it cannot mean.
    """
    if uses_embedded_server():
        return {
            "PGHOST": os.fspath(embedded.socket_directory()),
            "PGPORT": str(embedded.PORT),
            "PGUSER": embedded.NAME,
            "PGPASSWORD": "",
            "PGDATABASE": embedded.NAME,
        }
    env = environment()
    port = env.get("PGPORT", "5432")
    user = env.get("PGUSER") or pwd.getpwuid(os.geteuid()).pw_name
    values = {
        "PGHOST": env.get("PGHOST") or _local_server(port),
        "PGPORT": port,
        "PGUSER": user,
        "PGPASSWORD": env.get("PGPASSWORD", ""),
        "PGDATABASE": env.get("PGDATABASE", user),
    }
    if not (port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(f"PGPORT is {port!r}; it must be a port number such as 5432.")
    for name in ("PGHOST", "PGDATABASE"):
        if "://" in values[name]:  # not repeated: an address may hold the password
            raise UsageError(
                f"{name} holds a connection address. Give its parts one by one: PGHOST, PGPORT, "
                "PGUSER, PGPASSWORD and PGDATABASE."
            )
    return values


def ensure_server() -> None:
    """Start the embedded server if it is the one in use and does not run yet."""
    if uses_embedded_server():
        embedded.start()


def connect(application_name: str, autocommit: bool = False) -> Connection:
    """Open a connection whose session is in UTC, starting the embedded server when needed.

    Args:
        application_name: What pg_stat_activity shows.
        autocommit: Commit each statement by itself.

    Raises:
        MirrorError: The server is not reachable, refuses us or is too old.
    """
    ensure_server()
    values = libpq_environment()
    connection = _open(values, application_name)
    version = connection.server_version // 10000
    if version < OLDEST_VERSION:
        connection.close()
        raise MirrorError(
            f"The PostgreSQL at {_where(values)} is version {version}; the mirror needs "
            f"{OLDEST_VERSION} or newer. Upgrade it, or unset the PG variables to use the embedded "
            "PostgreSQL 18."
        )
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("set timezone to 'UTC'")
    connection.autocommit = autocommit
    return connection


def _open(values: dict[str, str], application_name: str) -> Connection:
    deadline = time.monotonic() + STARTING_SECONDS
    while True:
        try:
            return psycopg2.connect(
                host=values["PGHOST"],
                port=values["PGPORT"],
                user=values["PGUSER"],
                password=values["PGPASSWORD"] or None,
                dbname=values["PGDATABASE"],
                application_name=application_name,
                client_encoding="utf8",
                connect_timeout=10,
                # A firewall that drops idle connections must not leave a run waiting for ever.
                keepalives=1,
                keepalives_idle=30,
                keepalives_interval=10,
                keepalives_count=3,
            )
        except psycopg2.OperationalError as error:
            cause = " ".join(str(error).split())
            if time.monotonic() > deadline or not any(text in cause for text in NOT_YET):
                raise MirrorError(_unreachable(values, cause)) from error
        time.sleep(0.2)


def _unreachable(values: dict[str, str], cause: str) -> str:
    if uses_embedded_server():
        fix = f"Look at the end of {embedded.status().log}, run `make database-stop` and try again."
    else:
        fix = (
            "Check PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE (environment or .env), that "
            "the server runs, lets this machine in and has that role and database; or unset them "
            "all to use the embedded server."
        )
    return f"Cannot connect to PostgreSQL at {_where(values)}: {cause.rstrip('.')}. {fix}"


def _where(values: dict[str, str]) -> str:
    return (
        f"{values['PGHOST']} port {values['PGPORT']} as {values['PGUSER']}, "
        f"database {values['PGDATABASE']}"
    )


def _local_server(port: str) -> str:
    """Without PGHOST libpq goes to this machine's server: its socket, wherever it was built for."""
    for directory in ("/var/run/postgresql", "/tmp"):
        if Path(directory, f".s.PGSQL.{port}").exists():
            return directory
    return "localhost"
