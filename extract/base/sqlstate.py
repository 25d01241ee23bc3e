"""What PostgreSQL and libpq say when they refuse something, as one sentence and what to do next."""

import re

import psycopg2

from extract.base.errors import MirrorError, MissingDatabase, UsageError

AGAIN = "run the same command again"
GONE = f"See that the server runs, then {AGAIN}."
# a whole SQLSTATE, or its class: what to do, and whether it can never work as it is configured
# (https://www.postgresql.org/docs/current/errcodes-appendix.html)
WHAT_TO_DO: dict[str, tuple[str, bool]] = {
    "22": ("The statement met a value that it cannot take: report this if it stays.", False),
    "25006": (
        "The server is a standby, or read-only for this role or database "
        "(default_transaction_read_only): name the primary server (PGHOST).",
        True,
    ),
    "25P0": (f"A time limit of the server ended the session. Lift it, then {AGAIN}.", False),
    "28": ("Correct PGUSER, PGPASSWORD or ~/.pgpass, or let the role in (pg_hba.conf).", True),
    "3D": ("Correct PGDATABASE, or create the database: docs/install.md.", True),
    "40": (f"Another session was in the way: {AGAIN}.", False),
    "42501": ("Give the role that right, or use one that has it: docs/install.md.", True),
    "53": (f"The server is at its limit: close other programs or raise it, then {AGAIN}.", False),
    "55P03": (f"Another session holds a lock (`make status` shows runs): {AGAIN} later.", False),
    "57014": (f"Somebody, or a time limit of the server, canceled a statement: {AGAIN}.", False),
    "57P05": (f"A time limit of the server ended the session. Lift it, then {AGAIN}.", False),
    "58": ("The server cannot use its own files: look at its log.", False),
    "XX": ("This is a fault of the server's own: look at its log.", False),
}
OTHERWISE = f"Run `make status`, then {AGAIN}; report this if it stays."
NO_SUCH_DATABASE = "3D000"
# what refuses a session for good: a parameter, the role, the database
NEVER_STARTS = ("22", "28", "3D", "42")
# libpq's own words, a pooler's, and an English server's
NEVER_WORKS = re.compile(
    r"authentication failed|no password supplied|does not exist|pg_hba\.conf"
    r"|not permitted to log in|permission denied|startup parameter|configuration parameter"
    r"|invalid (value|integer|port|\w+ value)|definition of service|service file|does not support"
    r"|not compiled in|certificate|private key|requirement .*failed|channel binding|root\.crt"
    r"|requirepeer|weak sslmode|GSSAPI encryption required|invalid command-line argument"
    r"|session is (not )?read-only|server is (not )?in hot standby"
)
POOLER = re.compile(r"unsupported startup parameter|unsupported startup option|pgbouncer", re.I)
USE_SERVER = (
    "A connection pooler stands before the server: give the mirror the server's own host and port "
    "(PGHOST, PGPORT)."
)


def explained(error: psycopg2.Error) -> MirrorError:
    """The error as a person can use it: the server's words without people's values, and the fix."""
    code = error.pgcode or ""
    said = words(error)
    if code == "53100":
        return disk_full()
    if not code or re.match("08|57P0[1-4]", code):
        return MirrorError(
            f"The database went away during the run: {said}. `raw` and `mirror` are as before. "
            f"{GONE}"
        )
    known = next((code[:n] for n in (5, 4, 2) if code[:n] in WHAT_TO_DO), "")
    fix, never = WHAT_TO_DO.get(known, (OTHERWISE, False))
    message = f"PostgreSQL refused ({code}): {said}. `raw` and `mirror` are as before. {fix}"
    return UsageError(message) if never else MirrorError(message)


def disk_full() -> MirrorError:
    """The error for a server without room."""
    return MirrorError(
        "The database's disk is full. `raw` and `mirror` are as before. Free some space there and "
        "run the same command again; what was read completely is kept."
    )


def refused_connection(cause: str, where: str, fix: str, code: str) -> MirrorError:
    """The error for a session that did not begin; its SQLSTATE where a server gave one."""
    if POOLER.search(cause):
        fix = USE_SERVER
    message = f"Cannot connect to PostgreSQL at {where}: {cause.rstrip('.?')}. {fix}"
    if code == NO_SUCH_DATABASE:
        return MissingDatabase(message)
    never = code.startswith(NEVER_STARTS) or NEVER_WORKS.search(cause)
    return UsageError(message) if never else MirrorError(message)


def words(error: psycopg2.Error) -> str:
    """The server's own first sentence; of classes that quote data, without what is quoted."""
    text = error.diag.message_primary or str(error) or type(error).__name__
    text = " ".join(text.split()).rstrip(".")
    if (error.pgcode or "")[:2] in ("22", "23", "P0"):
        text = re.sub(r'".*"', '"…"', text)
    return text[:500]
