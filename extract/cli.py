"""`python -m extract`: the API into `raw`, and `raw` into another engine."""

import errno
import gc
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any, NoReturn

import psycopg2
import typer
from typer.core import TyperGroup

from extract.base import logs
from extract.base.errors import MirrorError, UsageError
from extract.base.lock import new_run_id, require_mode, run_lock
from extract.base.settings import environment, local_directory, make_private
from extract.base.sqlstate import explained
from extract.console import make_console
from extract.progress import ExtractionProgress


@contextmanager
def exit_status() -> Iterator[None]:
    """Turn the named errors into one paragraph and the exit status of the interface."""
    # what is stopped says so on record, also when its terminal goes (unless nohup had it ignored)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    try:
        with suppress(OSError):  # what cannot do without it says so
            _find_temporary_folder()
        yield
    except MirrorError as error:
        fail(str(error), error.exit_status)
    except psycopg2.Error as error:
        cause = explained(error)
        fail(str(cause), cause.exit_status)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        if error.filename:
            fail(
                f"The mirror cannot use {error.filename}: {error.strerror}. Make it yours and "
                "writable, with free space on its disk, or name another place (FORTYTWO_LOCAL, "
                "FORTYTWO_SITE, XDG_STATE_HOME, DESTINATION__FILESYSTEM__BUCKET_URL).",
                1 if full else 2,
            )
        if not full:
            raise
        fail("No space is left where this command prints or works. Free some and run it again.", 1)
    except KeyboardInterrupt:
        fail(
            "Stopped by Ctrl-C or SIGTERM. Nothing is half-written; run the same command to go on.",
            130,
        )


def _find_temporary_folder() -> None:
    """Where nobody may write to /tmp, as in a read-only container, `.local/` takes its place."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        make_private()
        tempfile.tempdir = str(local_directory())


def fail(message: str, status: int) -> NoReturn:
    """Say why on stderr, then end at once, whatever worker threads still wait for."""
    logs.event("error", level=logging.ERROR, message=message, exit_status=status)
    console = make_console(stderr=True)
    console.print("[red]Error:[/red] ", end="")
    console.print(message, markup=False, soft_wrap=True)
    with suppress(OSError):  # what it has printed before may have no place
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class Commands(TyperGroup):
    """Commands that end as `exit_status` says."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        if os.environ.get("COLUMNS") == "0":  # exported before a terminal knew its width
            del os.environ["COLUMNS"]
        with exit_status():
            return super().invoke(ctx)


def application(purpose: str) -> typer.Typer:
    """A command line, which says its purpose when it is asked for help or for nothing."""
    return typer.Typer(
        cls=Commands,
        help=purpose,
        no_args_is_help=True,
        rich_markup_mode="markdown",  # lets the lines of a paragraph flow
        pretty_exceptions_enable=False,
        add_completion=False,
    )


app = application("Read the 42 API into the schema `raw` of the mirror's database.")
Mode = Annotated[
    str,
    typer.Option(
        help="full: reference tables, students and their cursus_users, deletions included; "
        "live: what changed since the last live pass; "
        "backfill: the big relations of all students, in batches, resumable."
    ),
]
MaxCalls = Annotated[
    int | None,
    typer.Option(min=1, help="Stop cleanly after this many API calls; the next run goes on."),
]
CampusIds = Annotated[
    str, typer.Option(help="Only these campuses, e.g. 1,9 (full and backfill). Default: all.")
]

Destination = Annotated[
    str, typer.Option(help="The engine, by the name that dlt has for it: duckdb, bigquery …")
]


def parse_campus_ids(text: str) -> list[int] | None:
    """`1,9` as numbers; None for all.

    Raises:
        UsageError: Something in it is no number.
    """
    if not text.strip():
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise UsageError(f"CAMPUS_IDS is {text!r}; it must be campus ids such as 1,9.")
    return [int(part) for part in parts]


@app.command()
def run(mode: Mode = "full", max_calls: MaxCalls = None, campus_ids: CampusIds = "") -> None:
    """Read one pass from the API into `raw`. `dbt build` then tests and publishes it."""
    from extract.run import extract  # dlt takes a second to import

    gc.freeze()  # what is imported stays: the collector need not look at it again
    chosen = parse_campus_ids(campus_ids)
    require_mode(mode)
    run_id = new_run_id()
    logs.start(run_id, command=f"extract {mode}")
    with run_lock(mode, run_id) as connection, ExtractionProgress() as progress:
        done = extract(
            mode,
            max_calls=max_calls,
            campus_ids=chosen,
            progress=progress,
            connection=connection,
            run_id=run_id,
        )
    typer.echo(
        f"raw is loaded: {sum(done.rows.values()):,} rows read in {done.calls:,} calls, "
        f"{sum(done.seconds.values()):.1f} s. Next: `bin/dbt build`"
    )
    for remark in done.remarks():
        typer.echo(remark)


@app.command()
def copy(destination: Destination = "duckdb") -> None:
    """Copy `raw` into another engine, for dbt to build the models there: docs/scale.md."""
    from extract.load import copy as copies

    os.environ.update(environment())  # dlt looks for credentials there and knows no .env
    rows = copies.copy(destination)
    target = {"duckdb": "duckdb", "filesystem": "spark"}.get(destination)
    next_step = f"`bin/dbt build --target {target}`" if target else "see docs/scale.md"
    typer.echo(
        f"raw is copied to {destination}: {sum(rows.values()):,} rows of {len(rows)} tables. "
        f"Next: {next_step}"
    )
