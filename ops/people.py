"""`make erase` and `make readmit`: one person out of the mirror, or let back in."""

from typing import Annotated

import typer

from extract.base.errors import MirrorError, UsageError
from extract.base.lock import new_run_id, run_lock
from extract.console import make_console
from extract.load.record import create_schema
from extract.people import kept_out
from extract.people.erase import Person, erase, find, forget_readings
from ops.backup import archive

app = typer.Typer()


@app.command("erase")
def erase_person(
    login: Annotated[str, typer.Option(help="The person's login.")] = "",
    id: Annotated[int | None, typer.Option(help="The person's number in the API.")] = None,  # noqa: A002
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Do it; without this nothing is changed.")
    ] = False,
) -> None:
    """Say what is kept of one person; with --confirm erase it and keep the person out.

    Everything goes in one transaction: the person's rows, the copies in other people's rows, and
    what is on record of them. ops.erasures says how many rows went, not whose.
    """
    if bool(login) == (id is not None):
        raise UsageError("Say whom to erase: either LOGIN=jdoe or ID=12345.")
    console = make_console(markup=False, soft_wrap=True)
    with run_lock("erase", run_id := new_run_id()) as connection:
        create_schema(connection)
        kept_out.load(connection)  # a lost key is said before anybody relies on it
        found = find(connection, login, id)
        if found is None and id is None:
            raise MirrorError(
                "Nobody with that login is in raw, mirror or snapshots: there is nothing to "
                "erase. To keep somebody out all the same, give ID=… instead."
            )
        person = found or Person(id or 0, "", "")
        gone = erase(
            connection, [person.id], "on request", run_id, keep_out=True, only_count=not confirm
        )
        if confirm:
            forget_readings(connection)
    rows = sum(gone.values())
    if confirm:
        console.print(
            f"Erased: {rows:,} rows in {len(gone)} places. The person stays out of later runs. "
            f"{_backups()}"
        )
        return
    name = f"{person.login}, {person.campus or 'of no known campus'}" if found else "not here"
    console.print(f"Person {person.id}: {name}.")
    for table, count in sorted(gone.items()):
        console.print(f"  {table:<36} {count:>9,} rows")
    console.print(
        f"{_backups()}\nNothing was changed. To erase these {rows:,} rows and keep the person "
        f"out for good: make erase ID={person.id} CONFIRM=1"
    )


@app.command()
def readmit(
    id: Annotated[int | None, typer.Option(help="The person's number in the API.")] = None,  # noqa: A002
) -> None:
    """Let somebody back in who was erased on request."""
    if id is None:
        raise UsageError("Say whom to let back in: ID=12345, the person's number in the API.")
    with run_lock("readmit", new_run_id()) as connection:
        create_schema(connection)
        if not kept_out.remove(connection, id):
            raise MirrorError(f"Person {id} is not kept out: there is nothing to undo.")
        forget_readings(connection)
    make_console(markup=False, soft_wrap=True).print(
        f"Person {id} may come back: the next full pass (`make sync`) reads what the API has "
        "of them. What was erased, history included, stays erased."
    )


def _backups() -> str:
    files = archive.backups(archive.folder())
    if not files:
        return f"There is no backup in {archive.folder()} that could still hold the person."
    names = "".join(f"\n  {file.path.name}" for file in files)
    return (
        f"Backups in {archive.folder()} that may still hold the person, until they rotate out or "
        f"you delete them:{names}"
    )
