"""`python -m ops cron-install`, `cron-remove`, `cron-show`, `systemd-install` and `scheduled`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from extract.base import logs
from extract.base.errors import BudgetSpent, BusyError, UsageError
from extract.base.settings import credentials_configured, environment
from extract.console import make_console
from ops.backup.restore import drill_obstacle
from ops.schedule import crontab, units
from ops.schedule import scheduled as jobs
from ops.schedule.schedule import JOBS, Schedule, need_settings_in_file, own_variables

app = typer.Typer()


@app.command("cron-install")
def cron_install() -> None:
    """Put the schedule into your crontab, as a marked block; other lines stay as they are.

    Run it again to change the times: SCHEDULE_FULL, _LIVE, _BACKUP, _CHECK and _BACKFILL_CALLS.
    """
    schedule = Schedule.load(environment())
    need_settings_in_file()
    text = crontab.block(schedule, own_variables(schedule))
    changed = crontab.install(text)
    console = make_console(markup=False)
    console.print("The schedule is in your crontab." if changed else "It was there already.")
    _print_next(console, schedule)
    if not crontab.daemon_runs():
        console.print(
            "But no cron daemon runs on this machine: start it (on Debian and Ubuntu: "
            "`systemctl enable --now cron`)."
        )
    if "backup" in schedule.jobs() and (obstacle := drill_obstacle()):
        console.print(f"Backups will not prove themselves here: {obstacle}.")
    console.print("Next: `make status` shows what ran and what comes.")


@app.command("cron-remove")
def cron_remove() -> None:
    """Take the schedule out of your crontab; other lines stay as they are."""
    folders = crontab.remove()
    for folder in folders:
        typer.echo(f"The schedule of {folder} is out of your crontab.")
    if not folders:
        typer.echo("There was none.")


@app.command("cron-show")
def cron_show() -> None:
    """Show the lines that cron-install would write, and whether they are installed."""
    schedule = Schedule.load(environment())
    text = crontab.block(schedule, own_variables(schedule))
    typer.echo(text, nl=False)
    installed = crontab.read(where_allowed=True)
    there = crontab.installed_block(installed)
    states = {None: "Not installed: `make cron-install`.", text: "Installed, just so."}
    console = make_console(markup=False)
    console.print(states.get(there, "Installed, but otherwise: `make cron-install` renews it."))
    if gone := crontab.gone_blocks(installed):
        console.print(crontab.said_of(gone))
    _print_next(console, schedule)
    if there is None and credentials_configured():
        need_settings_in_file()
    elif there is None:
        console.print(
            "No 42 credentials are set: cron-install wants them in .env, because a scheduled "
            "run never mirrors the sandbox."
        )


@app.command("systemd-install")
def systemd_install(
    directory: Annotated[
        Path | None, typer.Option(help="Default: the system's units for root, else your own.")
    ] = None,
) -> None:
    """Write the schedule as systemd units and timers, and say how to start them."""
    schedule = Schedule.load(environment())
    need_settings_in_file()
    place = directory or units.default_directory()
    written = units.install(units.units(schedule, own_variables(schedule)), place)
    console = make_console(markup=False)
    for path in written:
        console.print(str(path), soft_wrap=True)
    user = "" if place == Path("/etc/systemd/system") else " --user"
    timers = " ".join(f"{units.NAME}-{job}.timer" for job in schedule.jobs())
    console.print(
        f"Next: systemctl{user} daemon-reload && systemctl{user} enable --now {timers}",
        soft_wrap=True,
    )
    if user:
        console.print("And, so that they run while you are logged out: loginctl enable-linger")
    console.print("Use either these or cron: `make cron-remove` takes the crontab's block out.")


@app.command(hidden=True)
def scheduled(job: Annotated[str, typer.Argument(help="live, full, backup or check")]) -> None:
    """Do a job of the schedule, as cron and systemd do: quiet when all is well.

    Exit status 75, without a word, when another run is at work or the quota is spent.
    """
    if job not in JOBS:
        raise UsageError(f"There is no job {job!r}; it must be one of {', '.join(JOBS)}.")
    try:
        jobs.JOBS[job]()
    except (BusyError, BudgetSpent) as error:
        logs.event("skipped", job=job, message=str(error))
        raise typer.Exit(error.exit_status) from None


def _print_next(console: Console, schedule: Schedule) -> None:
    runs = sorted(schedule.next_runs(datetime.now(UTC)).items(), key=lambda item: item[1])
    times = ", ".join(f"{job} {at:%H:%M}" for job, at in runs)
    console.print(f"Next runs, in UTC: {times}.")
