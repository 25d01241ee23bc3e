"""`python -m ops status`."""

from __future__ import annotations

import json as json_module
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from extract.cli import exit_status
from ops.status.status import read_status
from ops.status.view import print_status

app = typer.Typer()


@app.command()
def status(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the last runs, ages, row counts, quota, backfill, backups and what needs attention."""
    with exit_status():
        now = read_status()
        if json:
            typer.echo(json_module.dumps(now.document(), default=_plain, indent=2))
        else:
            print_status(now, Console(highlight=False))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
