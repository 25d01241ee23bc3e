"""What libpq makes of its variables and files, asked of the libpq that the driver is built with.

Nothing here repeats libpq's rules: PGSERVICE, pg_service.conf, defaults and their order are its own
(PQconndefaults, https://www.postgresql.org/docs/current/libpq-connect.html).
"""

from __future__ import annotations

import ctypes
import os
import re

from psycopg2 import _psycopg

from extract.base.errors import UsageError
from extract.base.settings import environment

# documented ones that an older libpq does not know, and would ignore without a word
NEWER = (
    *("PGREQUIREAUTH", "PGSSLCERTMODE", "PGLOADBALANCEHOSTS", "PGGSSDELEGATION"),
    *("PGSSLNEGOTIATION", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION"),
)
# of a session, not of a connection: the mirror sets them itself (extract/base/session.py)
OF_SESSIONS = ("PGTZ", "PGDATESTYLE", "PGGEQO", "PGCLIENTENCODING", "PGAPPNAME")
VARIABLE = re.compile(r"PG[A-Z]+")


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
    library = ctypes.CDLL(_psycopg.__file__)
    library.PQconndefaults.restype = ctypes.POINTER(_Option)
    library.PQconninfoFree.argtypes = [ctypes.POINTER(_Option)]
    options = library.PQconndefaults()
    values, known = {}, set()
    for option in options:
        if not option.keyword:
            break
        known.add((option.variable or b"").decode())
        if option.value:
            values[option.keyword.decode()] = os.fsdecode(option.value)
    library.PQconninfoFree(options)
    ignored = [name for name in NEWER if os.environ.get(name) and name not in known]
    if ignored:
        raise UsageError(
            f"{' and '.join(ignored)} cannot be honoured: the driver's libpq does not know it. "
            "Unset it (environment or .env), then run the command again."
        )
    return values
