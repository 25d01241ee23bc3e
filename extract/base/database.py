"""Which PostgreSQL the mirror uses, and connections to it.

libpq's own variables and files decide (environment first, then `.env`): with none set that names a
server it is the embedded one, with any of them set it is theirs and libpq's defaults fill in the
rest. What libpq reads for itself (passwords of ~/.pgpass, TLS, timeouts …) is left to it.
"""

import os
import re
import time
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn

from extract import embedded
from extract.base import libpq
from extract.base.errors import MirrorError, UsageError
from extract.base.query import execute
from extract.base.session import with_settings
from extract.base.settings import environment
from extract.base.sqlstate import NEVER_WORKS, NO_SUCH_DATABASE, refused_connection

# those that say where the database is, or who asks; the others count for the embedded one as well
VARIABLES = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICE")
# those that lead to a file, which may say the wrong thing or not be there
OF_FILES = ("PGSERVICE", "PGSERVICEFILE", "PGPASSFILE")
# every server has them: from there whole databases are made, renamed and looked for
MAINTENANCE = ("postgres", "template1")
OLDEST_VERSION = 15
STARTING_SECONDS = 30
NOT_YET = ("57P03", libpq.LET_IN)  # cannot connect now, or could when it was asked again
# unless libpq's variables and files say otherwise; a firewall that drops idle connections must not
# leave a run waiting for ever
DEFAULTS = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}

# libpq encrypts nothing on a socket, but one that is built without TLS refuses to be asked for it
UNENCRYPTED = {"PGSSLMODE": "disable", "PGSSLROOTCERT": "", "PGSSLNEGOTIATION": "postgres"}


def uses_embedded_server() -> bool:
    """Whether none of libpq's variables names a server."""
    env = environment()
    return not any(env.get(name) for name in VARIABLES)


def parameters(name: str = "") -> dict[str, str]:
    """The parameters of libpq in effect, by keyword, for psycopg2 and dlt.

    Args:
        name: Another database of the same server.

    Raises:
        UsageError: A variable holds something that it cannot mean, or cannot be honoured.
    """
    values = {**DEFAULTS, **libpq.parameters()}
    if uses_embedded_server():
        values |= {
            "host": os.fspath(embedded.socket_directory()),
            "port": str(embedded.PORT),
            "user": embedded.NAME,
            "dbname": embedded.NAME,
        }
    else:
        if "host" not in values:
            values["host"] = values.get("hostaddr") or _local_server(values["port"])
        values.setdefault("dbname", values["user"])
    if name:
        values["dbname"] = name
    _check(values)
    if values.pop("service", "") and values.get("options", "") != os.environ.get("PGOPTIONS", ""):
        raise UsageError(
            f"The connection service {os.environ['PGSERVICE']} sets options, which would overrule "
            "the mirror's own. Take them out of the service file and put them into PGOPTIONS."
        )
    values["client_encoding"] = "UTF8"
    values["options"] = with_settings(values.get("options", ""))
    return values


def libpq_environment(name: str = "") -> dict[str, str]:
    """The variables that lead a program to the database; passwords are in no argument.

    Args:
        name: Another database of the same server.

    Raises:
        UsageError: As `parameters`.
    """
    values = parameters(name)
    variables = {
        "PGHOST": values["host"],
        "PGPORT": values["port"],
        "PGUSER": values["user"],
        "PGDATABASE": values["dbname"],
        "PGOPTIONS": values["options"],
        "PGCLIENTENCODING": "UTF8",
    }
    if "password" in values:  # dbt takes none from a service file
        variables["PGPASSWORD"] = values["password"]
    return variables


def program_environment(name: str = "") -> dict[str, str]:
    """The variables that lead one of PostgreSQL's own programs to the database.

    Args:
        name: Another database of the same server.

    Raises:
        UsageError: As `parameters`.
    """
    return libpq_environment(name) | ({} if on_network() else UNENCRYPTED)


def on_network() -> bool:
    """Whether a host is reached otherwise than by a socket of this machine.

    Raises:
        UsageError: As `parameters`.
    """
    values = parameters()
    hosts = values["host"].split(",")
    return bool(values.get("hostaddr")) or not all(host.startswith("/") for host in hosts)


def ensure_server() -> None:
    """Start the embedded server if it is the one in use and does not run yet."""
    if uses_embedded_server():
        embedded.start()


def connect(application_name: str, autocommit: bool = False, name: str = "") -> Connection:
    """Open a session that is the same everywhere, starting the embedded server when needed.

    Args:
        application_name: What pg_stat_activity shows.
        autocommit: Commit each statement by itself.
        name: Another database of the same server.

    Raises:
        MirrorError: The server is not reachable, refuses us or is too old.
    """
    ensure_server()
    values = parameters(name)
    connection = _open(values, application_name)
    version = connection.server_version
    if version // 10000 < OLDEST_VERSION:
        connection.close()
        raise UsageError(
            f"The PostgreSQL at {_where(values)} is version {version // 10000}; the mirror needs "
            f"{OLDEST_VERSION} or newer. Upgrade it, or unset the PG variables to use the embedded "
            "PostgreSQL 18."
        )
    complete = with_settings(values["options"], version)
    if complete != values["options"]:  # older servers refuse what they do not know
        os.environ["PGOPTIONS"] = complete  # from now on everybody's
        connection.close()
        connection = _open({**values, "options": complete}, application_name)
    connection.autocommit = autocommit
    return connection


def _open(values: dict[str, str], application_name: str) -> Connection:
    deadline = time.monotonic() + STARTING_SECONDS
    dsn = make_dsn(**{**values, "application_name": application_name})
    while True:
        try:
            return psycopg2.connect(dsn)
        except psycopg2.OperationalError as error:
            # libpq's own question ("Is the server running …?") is what _fix answers
            cause = " ".join(re.sub(r"\n\t.*\?", ".", str(error)).split())
            code = "" if "timeout expired" in cause else libpq.refusal(dsn)
            if time.monotonic() > deadline or code not in NOT_YET:
                name = values["dbname"]
                if code == NO_SUCH_DATABASE and name not in MAINTENANCE:
                    _refuse_replaced(name)
                raise refused_connection(cause, _where(values), _fix(cause), code) from error
        time.sleep(0.2)


def session(purpose: str, name: str = "") -> closing[Connection]:
    """A connection in autocommit mode, for a `with` statement, which closes it.

    Args:
        purpose: What pg_stat_activity shows it is for, e.g. `plan`.
        name: Another database of the same server.

    Raises:
        MirrorError: As `connect`.
    """
    return closing(connect(f"fortytwo-mirror {purpose}", autocommit=True, name=name))


def connect_beside(application_name: str) -> Connection:
    """A session, in autocommit mode, beside the mirror's database: in one that every server has.

    Raises:
        MirrorError: None lets us in.
    """
    for name in MAINTENANCE:
        try:
            return connect(application_name, autocommit=True, name=name)
        except MirrorError as error:
            trouble = error
    raise MirrorError(
        f"Neither the database postgres nor template1 lets us in: {trouble}"
    ) from trouble


def _refuse_replaced(name: str) -> None:
    """Name the database that a restore has put aside, if it was killed before it put in another.

    Raises:
        UsageError: There is one.
    """
    try:
        connection = connect_beside("fortytwo-mirror")
    except MirrorError:  # then the missing database itself is told
        return
    with closing(connection):
        found = execute(
            connection,
            "select datname, current_database() from pg_database "
            r"where starts_with(datname, %s) and datname ~ '_\d{8}t\d{6}$' "
            "order by datname desc limit 1",
            (f"{name}_replaced_",),
        )
    for replaced, other in found:
        raise UsageError(
            f"The database {name} is not there: a restore was stopped after it had put it aside "
            f"as {replaced}. Bring it back: `bin/psql {other}`, then "
            f'alter database "{replaced}" rename to "{name}"; and run the command again.'
        )


def _fix(cause: str) -> str:
    others = [name for name in sorted(libpq.variables()) if os.environ.get(name)]
    if uses_embedded_server() and others and NEVER_WORKS.search(cause):
        return f"Unset what keeps the embedded server out of reach: {', '.join(others)}."
    if uses_embedded_server():
        log = embedded.status().place.log
        return f"Look at the end of {log}, run `make database-stop` and try again."
    files = [name for name in OF_FILES if os.environ.get(name)]
    return (
        f"Check {', '.join([*files, 'PGHOST, PGPORT, PGUSER, PGPASSWORD'])} and PGDATABASE "
        "(environment or .env), that the server runs, lets this machine in and has that role and "
        "database; or unset them all to use the embedded server."
    )


def _where(values: dict[str, str]) -> str:
    return (
        f"{values['host']} port {values['port']} as {values['user']}, database {values['dbname']}"
    )


def _check(values: dict[str, str]) -> None:
    port = values["port"]
    if "," in port:
        raise UsageError(
            f"The port is {port!r}, one for each host, and dbt takes one for all. Give one port "
            "(PGPORT, or port in the service file), or one host."
        )
    if not (port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(f"PGPORT is {port!r}; it must be a port number such as 5432.")
    if "'" in values["dbname"]:  # dbt-postgres puts the name into its SQL as it is
        raise UsageError(
            f"The database {values['dbname']} has a ' in its name, which dbt cannot use. Rename "
            "it, or name another (PGDATABASE)."
        )
    for keyword, variable in (("host", "PGHOST"), ("dbname", "PGDATABASE")):
        # not repeated: an address may hold the password
        if "://" in values[keyword] or "=" in values[keyword]:
            raise UsageError(
                f"{variable} holds a connection address. Give its parts one by one: PGHOST, "
                "PGPORT, PGUSER, PGPASSWORD and PGDATABASE."
            )


def _local_server(port: str) -> str:
    """Without PGHOST libpq goes to this machine's server: its socket, wherever it was built for."""
    for directory in ("/var/run/postgresql", "/tmp"):
        if Path(directory, f".s.PGSQL.{port}").exists():
            return directory
    return "localhost"
