"""What libpq makes of its variables and files, asked of the libpq that the driver is built with.

Nothing here repeats libpq's rules: PGSERVICE, pg_service.conf, defaults and their order are its own
(PQconndefaults, https://www.postgresql.org/docs/current/libpq-connect.html).
"""

import ctypes
import os
import re
import select
import time
from contextlib import closing
from itertools import takewhile

import psycopg2
from psycopg2 import _psycopg
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE

from extract.base.errors import UsageError
from extract.base.settings import environment

# documented ones that an older libpq does not know, and would ignore without a word
NEWER = (
    *("PGREQUIREAUTH", "PGSSLCERTMODE", "PGLOADBALANCEHOSTS", "PGGSSDELEGATION"),
    *("PGSSLNEGOTIATION", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION"),
)
# of a session, not of a connection: the mirror sets them itself (extract/base/session.py)
OF_SESSIONS = ("PGTZ", "PGDATESTYLE", "PGGEQO", "PGCLIENTENCODING", "PGAPPNAME")
PQERRORS_SQLSTATE = 3  # of a message, the SQLSTATE alone
SQLSTATE = re.compile(r":  ([0-9A-Z]{5})$", re.MULTILINE)
LET_IN = "00000"
REFUSAL_SECONDS = 10
VARIABLE = re.compile(r"PG[A-Z]+")
# in these a shell would have made of `~` what it stands for
PATHS = re.compile(r"PG(PASSFILE|SERVICEFILE|SYSCONFDIR|SSL(CERT|KEY|ROOTCERT|CRL|CRLDIR))")


class _Option(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_char_p) for name in ("keyword", "variable", "compiled", "value")),
        *((name, ctypes.c_char_p) for name in ("label", "shown_as")),
        ("shown_size", ctypes.c_int),
    ]


def adopt_variables() -> None:
    """Let libpq read from the process's environment what stands in `.env`.

    What the environment had wins, and what is set but empty counts as not set.
    """
    for name, value in environment().items():
        if PATHS.fullmatch(name):
            value = os.path.expanduser(value)  # noqa: PTH111 (as a shell: an unknown ~name stays)
        if VARIABLE.fullmatch(name) and os.environ.get(name) != value:
            os.environ[name] = value
    for name in list(os.environ):
        if name in OF_SESSIONS or (VARIABLE.fullmatch(name) and not os.environ[name]):
            del os.environ[name]


def parameters() -> dict[str, str]:
    """The parameters in effect, by keyword; what nobody has set is left out.

    Raises:
        UsageError: A variable is set that this libpq does not know.
    """
    adopt_variables()
    options = _options()
    ignored = [name for name in NEWER if os.environ.get(name) and name not in variables()]
    if ignored:
        raise UsageError(
            f"{' and '.join(ignored)} cannot be honoured: the driver's libpq does not know it. "
            "Unset it (environment or .env), then run the command again."
        )
    return {keyword: value for keyword, _, value in options if value}


def variables() -> set[str]:
    """The variables that this libpq knows, those that are no parameter's among them."""
    of_parameters = {variable for _, variable, _ in _options() if variable}
    return of_parameters | {"PGSERVICEFILE", "PGSYSCONFDIR"}


def refusal(dsn: str) -> str:
    """The SQLSTATE of the refusal that a server answers a connection with; "" when none answers.

    The driver hands on the server's words alone, and those are in the server's language.
    """
    library = ctypes.CDLL(_psycopg.__file__)
    library.PQsetErrorVerbosity.argtypes = [ctypes.c_void_p, ctypes.c_int]
    deadline = time.monotonic() + REFUSAL_SECONDS
    try:
        with closing(psycopg2.connect(dsn, async_=True)) as connection:
            library.PQsetErrorVerbosity(connection.pgconn_ptr, PQERRORS_SQLSTATE)
            while (state := connection.poll()) != POLL_OK:
                files = [connection.fileno()]
                rest = deadline - time.monotonic()
                if rest < 0:
                    return ""
                to_read, to_write = (
                    files if state == way else [] for way in (POLL_READ, POLL_WRITE)
                )
                select.select(to_read, to_write, [], rest)
    except psycopg2.Error as error:
        return "".join(SQLSTATE.findall(str(error))[-1:])
    return LET_IN


def _options() -> list[tuple[str, str, str]]:
    """Keyword, variable and value in effect of each parameter."""
    library = ctypes.CDLL(_psycopg.__file__)
    library.PQconndefaults.restype = ctypes.POINTER(_Option)
    library.PQconninfoFree.argtypes = [ctypes.POINTER(_Option)]
    options = library.PQconndefaults()
    found = [
        (
            option.keyword.decode(),
            (option.variable or b"").decode(),
            os.fsdecode(option.value or b""),
        )
        for option in takewhile(lambda option: option.keyword, options)
    ]
    library.PQconninfoFree(options)
    return found
