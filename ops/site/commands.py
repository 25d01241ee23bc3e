"""The commands of `python -m ops` that make pages."""

from typing import Annotated

import typer

from ops.status.status import read_status
from ops.status.verdict import judge

app = typer.Typer()


@app.command()
def docs(
    serve: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65535, help="Then serve them on this machine."),
    ] = None,
) -> None:
    """Make the site: overview, status, data dictionary, handbook, lineage."""
    from ops.site import docs as site  # dbt and Markdown are no other command's business

    first = site.build()
    typer.echo(f"{first}: open it in a browser, or copy the directory to any static host.")
    if serve:
        typer.echo(f"http://127.0.0.1:{serve}/ until Ctrl-C")
        site.serve(serve)


@app.command()
def status_page() -> None:
    """Make site/status.html anew; every job does it by itself."""
    from ops.site.status_page import write

    status = read_status()
    typer.echo(write(status, judge(status)))


@app.command()
def data_dictionary() -> None:
    """Write docs/data-dictionary.md from the contracts; needs no database."""
    from ops.site.docs import write_dictionary

    typer.echo(write_dictionary())
