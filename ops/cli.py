"""`python -m ops`: the commands behind the make targets."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Annotated

import typer
from rich.console import Console

from extract.base.lock import recorded_mode, require_mode
from extract.base.settings import Settings, credentials_configured
from extract.cli import CampusIds, MaxCalls, Mode, application, parse_campus_ids
from extract.console import make_console
from extract.tables.streams import streams_on
from ops import doctor as doctors
from ops import uninstall
from ops.backup.commands import app as backups
from ops.checks.command import app as checks
from ops.people import app as people
from ops.sandbox import running_sandbox
from ops.schedule.commands import app as schedules
from ops.schedule.scheduler import app as scheduler
from ops.site.commands import app as pages
from ops.status.reporting import reported
from ops.status.streams import app as streams
from ops.status.view import app as statuses
from ops.sync import sync as run_sync

app = application("Run the mirror of the 42 API.")
for part in (statuses, checks, backups, schedules, pages, scheduler, people, streams):
    app.add_typer(part)
NEXT = "`make psql` looks at it, `make check` proves it, `make cron-install` keeps it up."
NEXT_INVENTED = (
    "`make psql` looks at the invented people; your own credentials bring the real ones: "
    "docs/install.md, step 2."
)
SandboxScale = Annotated[
    str,
    typer.Option(
        help="Size of the bundled sandbox, small or network, when no credentials are set."
    ),
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
    with ExitStack() as stack:
        chosen = parse_campus_ids(campus_ids)
        require_mode(mode)
        console = make_console()
        address = stack.enter_context(_api(sandbox_scale, console))
        Settings.load()  # a wrong one is no failed pass: nothing was started
        streams_on()
        with reported(f"sync {recorded_mode(mode, chosen)}"):
            run_sync(mode, max_calls=max_calls, campus_ids=chosen, console=console)
        console.print(f"Next: {NEXT_INVENTED if address else NEXT}")


@app.command()
def plan(campus_ids: CampusIds = "", sandbox_scale: SandboxScale = "network") -> None:
    """Print the calls each resource needs, what the quota has left and the expected minutes."""
    from extract.passes.plan import make_plan, print_plan  # dlt takes a second to import

    chosen = parse_campus_ids(campus_ids)
    console = make_console()
    with _api(sandbox_scale, console):
        print_plan(make_plan(chosen, lambda asked: console.print(f"  {asked}")), console)


@contextmanager
def _api(sandbox_scale: str, console: Console) -> Iterator[str]:
    """The API that is configured, or else the bundled sandbox; yields the sandbox's address."""
    if credentials_configured():
        yield ""
        return
    with running_sandbox(sandbox_scale) as address:
        console.print(
            "No 42 credentials are set, so this run uses the bundled sandbox: a local stand-in "
            f"for the 42 API with invented people ({address}). For the real API put "
            "FORTYTWO_CLIENT_ID and FORTYTWO_CLIENT_SECRET into .env (see .env.example).\n"
        )
        yield address


@app.command()
def doctor() -> None:
    """Would a sync succeed here? Names each obstacle and the command that mends it.

    Exit status: 0 when nothing is in its way, 1 when something is.
    """
    status = doctors.report(doctors.examine(), make_console())
    raise typer.Exit(status)


@app.command("uninstall")
def remove_all(
    confirm: Annotated[bool, typer.Option("--confirm", help="Remove it.")] = False,
) -> None:
    """List the schedule, schemas, role, state and pages that the mirror made, or remove them."""
    parts = uninstall.parts()
    with uninstall.nothing_at_work() if confirm else nullcontext():
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
