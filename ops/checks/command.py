"""`python -m ops check`, by hand and by the schedule."""

from collections.abc import Sequence
from typing import Annotated, Any

import psycopg2
import typer
from psycopg2.extensions import connection as Connection
from rich.console import Console

from extract.base import database
from extract.base.errors import CredentialsError, MirrorError
from extract.base.settings import Settings, credentials_configured, environment, max_delete_fraction
from extract.console import make_console
from extract.load.record import Record, create_schema
from extract.people import kept_out
from ops.checks.check import run_check
from ops.checks.result import Result
from ops.checks.spot import Fetch
from ops.status.reporting import reported
from ops.upkeep import hygiene

app = typer.Typer()


class CheckFailed(MirrorError):
    """A check found something wrong."""


@app.command()
def check(
    json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    sample: Annotated[
        int, typer.Option(min=0, max=100, help="Rows of each table to compare with the API.")
    ] = 5,
) -> None:
    """Is the mirror whole, orphan-free, reconciled with raw, fresh, and what the API says?

    Exit status: 0 when every check passed, 1 when one failed.
    """
    max_delete_fraction(environment())  # a wrong one is no failed check
    try:
        check_mirror(make_console(), json=json, sample=sample)
    except CheckFailed:  # what it found is printed
        raise typer.Exit(1) from None


def check_mirror(console: Console, *, json: bool = False, sample: int = 5) -> None:
    """Check, print, and report how it ended.

    What the verdict found is not on record as the check's failure: the verdict says it while it is
    so, and a record would say it until the next check.

    Raises:
        CheckFailed: Something is wrong; the message says what.
    """
    results: list[Result] = []
    with reported("check"):
        try:
            connection = database.connect("fortytwo-mirror check", autocommit=True)
        except MirrorError:
            connection = None  # the verdict says so
        try:
            results = run_check(
                connection,
                json=json,
                sample=sample,
                fetch=_ask(connection) if connection and credentials_configured() else None,
                max_delete_fraction=max_delete_fraction(environment()),
                console=console,
            )
            if connection is not None and not json:
                for advice in hygiene.report(connection):
                    console.print(f"advice: {advice}", markup=False)
        except psycopg2.Error as error:
            if not results:
                raise
            console.print(f"advice: none, the database went away: {type(error).__name__}")
        finally:
            if connection is not None:
                connection.close()
        _raise_for([result for result in results if not result.judged])
    _raise_for(results)


def _raise_for(results: Sequence[Result]) -> None:
    failed = [f"{result.name}: {result.detail}" for result in results if result.status == "failed"]
    if failed:
        raise CheckFailed(f"The check failed: {'; '.join(failed)}")


def _ask(connection: Connection) -> Fetch:
    """Asks the API by the ids of rows; logs in when it is first asked."""
    from extract.api.lookup import rows_by_id  # dlt takes a second to import

    clients: list[Fetch] = []

    def fetch(table: str, ids: Sequence[int]) -> Any:
        if not clients:
            try:
                clients.append(rows_by_id(kept_out.load(connection)))
            except CredentialsError:
                _note(connection, refused=True)
                raise
            _note(connection, refused=False)
        return clients[0](table, ids)

    return fetch


def _note(connection: Connection, *, refused: bool) -> None:
    """What the API said to the credentials, for the verdict."""
    create_schema(connection)
    Record(connection, "").refused(Settings.load().api_url, refused=refused)
