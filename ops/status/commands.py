"""`python -m ops status`."""

from __future__ import annotations

import json as json_module
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from extract.base.errors import MirrorError
from extract.cli import exit_status
from extract.tables import streams_on
from ops.status.status import read_status
from ops.status.verdict import judge
from ops.status.view import print_status

app = typer.Typer()


@app.command()
def status(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say how the mirror is, and show runs, ages, row counts, quota, backfill and backups."""
    with exit_status():
        streams_on()  # a typing error in it is said as what it is
        now = read_status()
        verdict = judge(now)
        if json:
            document = {"verdict": verdict.document(), **now.document()}
            typer.echo(json_module.dumps(document, default=_plain, indent=2))
        elif not now.unreachable:
            print_status(now, verdict, Console(highlight=False))
        if now.unreachable:
            raise MirrorError(f"The status cannot be read: {now.unreachable}")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
