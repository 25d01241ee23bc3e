"""`python -m benchmarks`: measure everything, or the parts that are named, and print one table."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import building, day, engines, extraction, loading, publication, quota
from benchmarks.measure import CommandFailed, run
from benchmarks.place import place, sandbox
from benchmarks.table import Line, machine, render


class Part(StrEnum):
    """What can be measured alone."""

    extract = "extract"
    relations = "relations"
    calls = "calls"
    day = "day"
    build = "build"
    live = "live"
    publication = "publication"
    growth = "growth"
    engines = "engines"
    copy = "copy"


def main(
    parts: Annotated[
        list[Part] | None, typer.Argument(help="Which; all when none is named.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Tries of each, for the median.")] = 3,
    students: Annotated[int, typer.Option(help="Size of the network.")] = 40_335,
    rows: Annotated[str, typer.Option(help="Sizes of the relation loads.")] = "1000000,3000000",
    factors: Annotated[str, typer.Option(help="Sizes of the network, for growth.")] = "1,4,16",
    base: Annotated[int, typer.Option(help="Students at factor 1, for growth.")] = 10_000,
    relations_at_one: Annotated[
        int, typer.Option(help="Relation rows at factor 1, for engines.")
    ] = 100_000,
    peers: Annotated[bool, typer.Option(help="Measure dlt's source and the Singer pair.")] = True,
    beside: Annotated[
        Path | None,
        typer.Option(help="Checkout of an earlier version after `make setup`, for build."),
    ] = None,
) -> None:
    """Measure against floors and peers on this machine; an hour for everything.

    It starts a PostgreSQL and a sandbox of its own below /tmp and removes both. The table goes to
    stdout, what it is doing to stderr. Exit status 1 when a figure misses what it must be.
    """

    def extract() -> list[Line]:
        with place() as at, sandbox(at, students) as address:
            return extraction.compare(at, address, runs, peers)

    def relations() -> list[Line]:
        with place() as at:
            return [line for n in _numbers(rows) for line in loading.compare(at, n, runs)]

    def calls() -> list[Line]:
        with place() as at, sandbox(at, students) as address:
            return quota.spent(at, address)

    def whole_day() -> list[Line]:
        with place() as at, sandbox(at, students) as address:
            return day.spent(at, address)

    def build() -> list[Line]:
        with place() as at, sandbox(at, students):
            return building.small(at) + building.large(at, beside)

    def live() -> list[Line]:
        with place() as at, sandbox(at, students) as address:
            building.prepare(at)
            return building.live(at, address)

    def copies() -> list[Line]:
        with place() as at:
            with sandbox(at, students):
                run(extraction.EXTRACT, at.environment)
            return engines.copies(at)

    measures: dict[Part, Callable[[], list[Line]]] = {
        Part.extract: extract,
        Part.relations: relations,
        Part.calls: calls,
        Part.day: whole_day,
        Part.build: build,
        Part.live: live,
        Part.publication: publication.lines,
        Part.growth: lambda: extraction.grow(_numbers(factors), base),
        Part.engines: lambda: engines.grow(_numbers(factors), relations_at_one),
        Part.copy: copies,
    }
    before = machine()
    found = {
        part.value: _measured(measure)
        for part, measure in measures.items()
        if part in (parts or Part)
    }
    typer.echo(f"{before}; medians of {runs}\n\n{render(found)}")
    missed = any(line.met is False for lines in found.values() for line in lines)
    raise typer.Exit(int(missed))


def _measured(measure: Callable[[], list[Line]]) -> list[Line]:
    """The lines of a part; one that failed says so and takes no other with it."""
    try:
        return measure()
    except CommandFailed as error:
        typer.echo(str(error), err=True)
        return [Line("failed", None, of=str(error).splitlines()[0][:120], met=False)]


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.replace("_", "").split(",")]


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(main)
    app(prog_name="python -m benchmarks")
