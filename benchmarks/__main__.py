"""`python -m benchmarks`: measure everything, or the parts that are named, and print tables."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer

from benchmarks import building, extraction, loading
from benchmarks.measure import PYTHON, run
from benchmarks.place import place, sandbox
from benchmarks.table import Line, machine, render


class Part(StrEnum):
    """What can be measured alone."""

    extract = "extract"
    relations = "relations"
    build = "build"
    publication = "publication"
    live = "live"
    growth = "growth"


def main(
    parts: Annotated[
        list[Part] | None, typer.Argument(help="Which; all when none is named.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Tries of each, for the median.")] = 3,
    rows: Annotated[str, typer.Option(help="Sizes of the relation loads.")] = "1000000,3000000",
    factors: Annotated[str, typer.Option(help="Sizes of the network, for growth.")] = "1,4,16",
    students: Annotated[int, typer.Option(help="Size of the network elsewhere.")] = 40_335,
) -> None:
    """Measure against floors and peers on this machine; half an hour for everything.

    It starts a PostgreSQL and a sandbox of its own below /tmp and removes both. Exit status 1 when
    a figure misses what it must be.
    """
    chosen = set(parts or Part)
    typer.echo(f"{machine()}; medians of {runs}\n")
    missed = 0
    if Part.extract in chosen:
        with place() as at, sandbox(at, students) as address:
            lines, notes = extraction.compare(at, address, runs)
        missed += _print("Extract and load, no rate limit", lines)
        typer.echo("".join(f"{note}\n" for note in notes))
    if Part.relations in chosen:
        with place() as at:
            lines = [line for n in _numbers(rows) for line in loading.compare(at, n, runs)]
        missed += _print("Relation rows into raw", lines)
    if chosen & {Part.build, Part.live}:
        with place() as at, sandbox(at, students) as address:
            lines = building.small(at) + building.large(at)
            if Part.build in chosen:
                missed += _print("dbt build with publication", lines)
            if Part.live in chosen:
                title = "Live pass over 2.6 million relation rows"
                missed += _print(title, building.live(at, address))
    if Part.publication in chosen:
        with place() as at:
            _, said = run([PYTHON, "-m", "benchmarks.publication"], at.environment)
        typer.echo(f"### Publication of three million rows\n\n```\n{said.strip()}\n```\n")
    if Part.growth in chosen:
        missed += _print("Growth", extraction.grow(_numbers(factors)))
    raise typer.Exit(1 if missed else 0)


def _print(title: str, lines: Iterable[Line]) -> int:
    """Print a table; returns how many lines miss their target."""
    listed = list(lines)
    typer.echo(render(title, listed))
    return sum(line.met is False for line in listed)


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.replace("_", "").split(",")]


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(main)
    app(prog_name="python -m benchmarks")
