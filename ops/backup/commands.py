"""`python -m ops backup`, `restore`, `restore-drill` and `backup-key`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal

from extract.base.errors import UsageError
from extract.base.settings import environment
from extract.console import make_console
from ops.backup import age, archive, loading
from ops.backup.backup import backup as write_backup
from ops.backup.restore import Restored
from ops.backup.restore import drill as run_drill
from ops.backup.restore import restore as run_restore
from ops.status.reporting import reported

app = typer.Typer()
File = Annotated[Path | None, typer.Option(help="The backup, a .dump or .dump.age file.")]


@app.command()
def backup(
    file: Annotated[
        Path | None, typer.Option(help="Write exactly there; rotation leaves it alone.")
    ] = None,
    keep: Annotated[
        str, typer.Option(help="Another beginning of the name; rotation leaves it alone.")
    ] = "",
) -> None:
    """Write a backup of everything that is needed to go on.

    Kept are the newest of each of the last 7 days and of the last 4 weeks (BACKUP_KEEP_DAILY,
    BACKUP_KEEP_WEEKLY). With BACKUP_AGE_RECIPIENT it is encrypted.
    """
    if file and keep:
        raise UsageError("Give either --file or --keep.")
    if file:
        archive.require_free(file.absolute())  # wrong usage is no failed backup
    with reported("backup"):
        done = write_backup(file, keep=keep)
    manifest = done.manifest
    rows = sum(count for count, _ in manifest.tables.values())
    console = make_console(markup=False)
    console.print(f"{done.path}", soft_wrap=True)
    console.print(
        f"{decimal(manifest.bytes)}, {len(manifest.tables)} tables, {rows:,} rows, "
        f"{'encrypted' if done.path.suffix == '.age' else 'not encrypted'}, "
        f"{done.seconds:.1f} s"
    )
    if done.left_out:
        console.print(
            f"left out, because this role may not read all of it: {', '.join(done.left_out)}",
        )
    if done.note:
        console.print(done.note, soft_wrap=True)
    for path in done.removed:
        console.print(f"removed {path.name}, which no rule keeps")
    console.print("Next: `make restore-drill` proves that it can be restored.")


@app.command()
def restore(
    file: File = None,
    database: Annotated[
        str, typer.Option(help="Another database of the same server; made when it is missing.")
    ] = "",
    force: Annotated[
        bool, typer.Option(help="Replace a database that is not empty; its readers are cut off.")
    ] = False,
) -> None:
    """Bring a backup back into an empty database, and compare every table with what was saved."""
    if file is None:
        newest = [f"{found.path}" for found in archive.backups(archive.folder())[:1]]
        raise UsageError(
            "Say which backup: make restore FILE=path. "
            + (f"The newest is {newest[0]}." if newest else f"{archive.folder()} has none.")
        )
    done = run_restore(file, database, force=force)
    console = make_console(markup=False)
    _print(console, done, f"Restored {done.path.name} into the database {done.database}")
    if database and database != environment().get("PGDATABASE"):
        console.print(
            "The mirror goes on using its own database. To look into this one: `make psql`, then "
            rf"`\c {database}`."
        )
    else:
        console.print("Next: `make build` makes marts anew, then `make check`.")


@app.command("restore-drill")
def restore_drill(file: File = None) -> None:
    """Prove that a backup, by default the newest, can be restored.

    It goes into a scratch database, every table's rows and checksum are compared with those at the
    time of the backup, and the scratch database is dropped.
    """
    if file:
        loading.require_file(file)  # wrong usage is no failed drill
    with reported("restore-drill"):
        done = run_drill(file)
    console = make_console(markup=False)
    for name, (rows, checksum) in done.tables.items():
        console.print(f"  {name:<36} {rows:>11,} rows  {checksum:>16}  same", soft_wrap=True)
    _print(console, done, f"{done.path.name} can be restored")


@app.command("backup-key")
def backup_key(path: Annotated[Path, typer.Argument(help="The new file; keep it safe.")]) -> None:
    """Make a key that opens encrypted backups, and say what to put into .env."""
    public = age.new_key(path)
    make_console(markup=False).print(
        f"{path} opens the backups that are encrypted for it: keep a copy of it off this "
        "machine, or they are lost with it. To encrypt from now on, put into .env:\n"
        f"BACKUP_AGE_RECIPIENT={public}\n"
        "and, only where backups are restored, the drill included:\n"
        f"BACKUP_AGE_IDENTITY={path.absolute()}",
        soft_wrap=True,
    )


def _print(console: Console, done: Restored, sentence: str) -> None:
    rows = sum(count for count, _ in done.tables.values())
    compared = (
        "every row count and checksum as at the time of the backup"
        if done.compared
        else "not compared: the .json file beside the backup is missing"
    )
    console.print(
        f"{sentence}: {len(done.tables)} tables, {rows:,} rows, {compared}; {done.seconds:.1f} s",
        soft_wrap=True,
    )
    for note in done.notes:
        console.print(note, soft_wrap=True)
