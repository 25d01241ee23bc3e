"""Whether a database can hold a mirror at all, asked before the first call to the API."""

from contextlib import closing

import psycopg2
from psycopg2.extensions import connection as Connection

from extract.base import database
from extract.base.errors import UsageError
from extract.base.query import execute, scalar
from extract.base.session import SETTINGS
from extract.base.sqlstate import USE_SERVER

NEEDED = """
    select
        current_database() as name,
        current_user as role,
        pg_is_in_recovery() as standby,
        current_setting('transaction_read_only') = 'on' as read_only,
        pg_encoding_to_char(encoding) as encoding,
        has_database_privilege(current_database(), 'create') as may_create,
        current_setting('session_replication_role') as replication_role,
        pg_backend_pid() as process_id
    from pg_database where datname = current_database()
"""
# the comment on raw_staging, which no backup holds, from a restore's begin to its end
RESTORING = "A restore of fortytwo-mirror fills this database."


def require_usable(connection: Connection) -> None:
    """Refuse a database in which no run can succeed.

    Args:
        connection: In autocommit mode.

    Raises:
        UsageError: A standby, a read-only database, one that is not UTF8, a role without the right
            to create schemas, or a pooler that does not keep sessions apart.
    """
    ((name, role, standby, read_only, encoding, may_create, replication_role, process_id),) = (
        execute(connection, NEEDED)
    )
    if connection.info.backend_pid != process_id:  # libpq was told another one: by a pooler
        _require_own_session(connection, process_id)
    if standby:
        raise UsageError(
            f"The server of {name} is a standby (in recovery), which nobody can write to. Name the "
            "primary server: PGHOST, PGPORT."
        )
    if read_only:
        raise UsageError(
            f"The database {name} is read-only for {role}: default_transaction_read_only is on for "
            "the role, the database or the server. Find out why (some providers do it when the "
            "disk is full), turn it off, then run the command again."
        )
    if encoding != "UTF8":
        raise UsageError(
            f"The database {name} has the encoding {encoding}, which cannot hold everybody's name. "
            f"Create another: create database … encoding 'UTF8' template template0 "
            "(docs/install.md), and name it as PGDATABASE."
        )
    if not may_create:
        raise UsageError(
            f"The role {role} may not create schemas in the database {name}. Let its owner run "
            f'grant create on database "{name}" to "{role}", or make the role its owner '
            "(docs/install.md)."
        )
    if replication_role != "origin":
        raise UsageError(
            f"session_replication_role is {replication_role} for {role}, which turns foreign keys "
            "off. Reset it: alter role … reset session_replication_role."
        )


def require_whole(connection: Connection) -> None:
    """Refuse what a restore that was killed has left.

    Raises:
        UsageError: The database holds a part of a backup.
    """
    comment = "select obj_description(to_regnamespace('raw_staging'), 'pg_namespace')"
    if scalar(connection, comment) == RESTORING:
        raise UsageError(
            f"The database {connection.info.dbname} holds a part of a backup: a restore into it "
            "was killed, or is still at work. If it is over, run it again (make restore FILE=… "
            "FORCE=1); where this role may not create databases, first `make uninstall CONFIRM=1`."
        )


def _require_own_session(connection: Connection, process_id: int) -> None:
    """Behind a pooler: does a session keep its server process, its settings and its locks?

    A second session takes a server process while the first is between two transactions. A pooler
    that pools sessions gives it another one; one that pools transactions may give it the same.
    """
    try:
        with closing(database.connect("fortytwo-mirror probe")) as second:
            theirs = scalar(second, "select pg_backend_pid()")  # and stays in its transaction
            moved = theirs == process_id or process_id != scalar(
                connection, "select pg_backend_pid()"
            )
    except psycopg2.Error as error:
        raise UsageError(f"{' '.join(str(error).split())}. {USE_SERVER}") from error
    if moved:
        raise UsageError(
            "A connection pooler in transaction mode gives one session's server process to others: "
            f"locks and settings do not last. {USE_SERVER}"
        )
    applied = scalar(
        connection,
        "select count(*) from pg_settings where source = 'client' and name = any(%s)",
        ([name for name in SETTINGS if name.endswith("timeout")],),
    )
    if not applied:
        raise UsageError(
            "A connection pooler withholds the mirror's settings (PGOPTIONS) from the server. "
            f"{USE_SERVER}"
        )
