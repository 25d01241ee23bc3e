"""`psql` and `dbt` of the virtual environment: the programs, at the mirror's database.

Typed bare, with no variable set, they reach the embedded server, started if it is not running;
with PG variables in the environment or in `.env` they reach that one.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn

from extract import embedded
from extract.base.database import ensure_server, libpq_environment
from extract.base.errors import MirrorError
from extract.base.imports import without_collector
from extract.base.settings import environment

DBT_WITHOUT_DATABASE = {
    *("clean", "deps", "init", "list", "ls", "parse"),
    *("--help", "-h", "--version", "-v", "-V"),
}


def psql() -> NoReturn:
    """Become psql; its own arguments may name another server."""
    arguments = sys.argv[1:]
    try:
        program = os.fspath(embedded.binary("psql"))
        variables = dict(os.environ)
        if not any(_names_a_server(argument) for argument in arguments):
            ensure_server()
            variables |= libpq_environment()
    except MirrorError as error:
        _leave("psql", error)
    os.execve(program, [program, *arguments], variables)


def dbt() -> None:
    """Run dbt, which knows neither `.env` nor how to start the server."""
    try:
        os.environ.update(environment())
        if not DBT_WITHOUT_DATABASE.intersection(sys.argv[1:]):
            ensure_server()
        os.environ.update(libpq_environment())
    except MirrorError as error:
        _leave("dbt", error)
    with without_collector():
        from dbt.cli.main import cli  # takes a second, which no error need wait for

    gc.set_threshold(50_000)  # a build is short: a tenth of its time was the collector's
    cli()


def _names_a_server(argument: str) -> bool:
    return argument.startswith(("-h", "--host", "postgres://", "postgresql://", "host="))


def _leave(program: str, error: MirrorError) -> NoReturn:
    print(f"{program}: {error}", file=sys.stderr)
    raise SystemExit(error.exit_status)
