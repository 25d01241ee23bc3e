"""Rows of a big relation into `raw`, beside plain COPY of the same pages."""

from __future__ import annotations

from functools import partial

from benchmarks.extraction import empty
from benchmarks.measure import PYTHON, Cost, repeated, run
from benchmarks.place import Place
from benchmarks.table import Line

SHARE_OF_COPY = 0.4


def compare(at: Place, rows: int, runs: int) -> list[Line]:
    """Load so many rows both ways, into empty tables."""
    pages = str(at.local / "pages.jsonl")
    module = [PYTHON, "-m", "benchmarks.relations"]
    run([*module, "pages", pages, str(rows)], at.environment)
    words = dict(word.split("=") for word in at.address().split())
    libpq = {
        "PGHOST": words["host"],
        "PGPORT": words["port"],
        "PGUSER": words["user"],
        "PGDATABASE": words["dbname"],
    }

    def load(what: str) -> Cost:
        empty(at)
        cost, _ = run([*module, what, pages], {**at.environment, **libpq})
        return cost

    costs = repeated(runs, {what: partial(load, what) for what in ("copy", "ours")})
    copy, mine = costs["copy"], costs["ours"]
    share = copy.wall / mine.wall
    return [
        Line(f"{rows:,} rows: parse + plain COPY", copy, rows),
        Line(
            f"{rows:,} rows: contract, Loader, merge",
            mine,
            rows,
            f"{share:.0%} of COPY's rows/s",
            f"≥ {SHARE_OF_COPY:.0%}",
            share >= SHARE_OF_COPY,
        ),
    ]
