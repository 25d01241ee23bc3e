"""`python -m ops`: the commands behind the make targets."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer
from rich.console import Console

from extract.base.errors import MirrorError, UsageError
from extract.base.settings import credentials_configured
from extract.cli import CampusIds, MaxCalls, Mode, exit_status, parse_campus_ids
from extract.load.record import create_schema
from extract.people.erase import erase, find_user, keep_out
from extract.run import MODES, new_run_id, run_lock
from ops import doctor as doctors
from ops import uninstall
from ops.backup.commands import app as backups
from ops.checks.command import app as checks
from ops.sandbox import running_sandbox
from ops.schedule.commands import app as schedules
from ops.schedule.scheduler import app as scheduler
from ops.site.commands import app as pages
from ops.status.commands import app as statuses
from ops.status.reporting import reported
from ops.sync import sync as run_sync

app = typer.Typer(
    help="Run the mirror of the 42 API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(statuses)
app.add_typer(checks)
app.add_typer(backups)
app.add_typer(schedules)
app.add_typer(pages)
app.add_typer(scheduler)
NEXT = "`make psql` looks at it, `make check` proves it, `make cron-install` keeps it up."
NEXT_INVENTED = (
    "`make psql` looks at the invented people; your own credentials bring the real ones: "
    "docs/install.md, step 2."
)
SandboxScale = Annotated[
    str, typer.Option(help="World of the bundled sandbox when no credentials are set.")
]


@app.callback()
def commands() -> None:
    """Run the mirror of the 42 API."""


@app.command()
def sync(
    mode: Mode = "full",
    max_calls: MaxCalls = None,
    campus_ids: CampusIds = "",
    sandbox_scale: SandboxScale = "network",
) -> None:
    """Extract, build, test, publish, summarise.

    Exit status: 0 published, 1 failed and nothing published, 2 wrong usage or configuration,
    75 another run holds the lock or the budget is spent.
    """
    with exit_status(), ExitStack() as stack:
        chosen = parse_campus_ids(campus_ids)
        if mode not in MODES:
            raise UsageError(f"MODE is {mode!r}; it must be one of {', '.join(MODES)}.")
        console = Console(highlight=False)
        address = ""
        if not credentials_configured():
            address = stack.enter_context(running_sandbox(sandbox_scale))
            console.print(
                "No 42 credentials are set, so this run mirrors the bundled sandbox: a local "
                f"stand-in for the 42 API with invented people ({address}). For the real API put "
                "FORTYTWO_CLIENT_ID and FORTYTWO_CLIENT_SECRET into .env (see .env.example).\n"
            )
        with reported(f"sync {mode}"):
            status = run_sync(mode, max_calls=max_calls, campus_ids=chosen, console=console)
        console.print(f"Next: {NEXT_INVENTED if address else NEXT}")
    raise typer.Exit(status)


@app.command("erase")
def erase_person(
    login: Annotated[str, typer.Option(help="The person's login.")] = "",
    id: Annotated[int | None, typer.Option(help="The person's number in the API.")] = None,  # noqa: A002
) -> None:
    """Erase one person everywhere and keep them out of later runs.

    Goes through raw, mirror, snapshots and ops in one transaction. The record (ops.erasures) says
    how many rows went, not whose; backups made before still hold the person until they rotate out.
    """
    with exit_status():
        if bool(login) == (id is not None):
            raise UsageError("Say whom to erase: either LOGIN=jdoe or ID=12345.")
        run_id = new_run_id()
        with run_lock("erase", run_id) as connection:
            create_schema(connection)
            user_id = id if id is not None else find_user(connection, login)
            if user_id is None:
                raise MirrorError(
                    "Nobody with that login is in raw, mirror or snapshots: there is nothing to "
                    "erase. To keep somebody out all the same, give ID=… instead."
                )
            gone = erase(connection, [user_id], "on request", run_id)
            keep_out(connection, user_id)
        rows = sum(gone.values())
        Console(highlight=False).print(
            f"Erased: {rows:,} rows in {len(gone)} tables. The person stays out of later runs."
        )


@app.command()
def doctor() -> None:
    """Would a sync succeed here? Names each obstacle and the command that mends it.

    Exit status: 0 when nothing is in its way, 1 when something is.
    """
    with exit_status():
        status = doctors.report(doctors.examine(), Console(highlight=False))
    raise typer.Exit(status)


@app.command("uninstall")
def remove_all(
    confirm: Annotated[bool, typer.Option("--confirm", help="Remove it.")] = False,
) -> None:
    """List the schedule, schemas, role, state and pages that the mirror made, or remove them."""
    with exit_status():
        parts = uninstall.parts()
        for part in parts:
            if confirm:
                part.remove()
            typer.echo(f"{'Removed' if confirm else 'Would remove'}: {part.name}")
        typer.echo(uninstall.kept() or "There are no backups.")
        if parts and not confirm:
            typer.echo("Next: `make uninstall CONFIRM=1` removes it, then this folder may go.")


def main() -> None:
    """Entry point."""
    app(prog_name="python -m ops")
