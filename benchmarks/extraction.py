"""Reading the network into empty tables: ours, the floor, the peers; and as the network grows."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import PYTHON, Cost, repeated, run
from benchmarks.place import Place, place, sandbox
from benchmarks.table import Line

EXTRACT = [PYTHON, "-m", "extract", "run", "--mode", "full"]
CPU_OF_FLOOR, MEBIBYTES = 2.5, 200
GROWTH_SECONDS, GROWTH_MEMORY = 1.3, 1.5


def empty(at: Place) -> None:
    """Forget what any variant has loaded."""
    at.execute("drop schema if exists raw, raw_staging, floor, peer, peer_staging, ops cascade")


def compare(at: Place, address: str, runs: int) -> tuple[list[Line], list[str]]:
    """Everything a full pass reads: 40,457 students, their cursus_users, the reference tables."""
    database = at.address()
    variants: dict[str, Callable[[], Cost]] = {
        "floor": lambda: _fresh(at, [PYTHON, "-m", "benchmarks.floor", address, database]),
        "ours": lambda: _fresh(at, EXTRACT),
        "dlt": lambda: _rest_api(at, address),
    }
    notes = []
    target = _singer()
    if target:
        variants["singer"] = lambda: _fresh(at, [*target, address, database])
    else:
        notes.append(
            "Singer pair skipped: BENCH_SINGER does not name a command that runs tap and target "
            "(`COMMAND ADDRESS DATABASE`)."
        )
    costs = repeated(runs, variants)
    rows = _rows(at)
    floor, mine = costs["floor"], costs["ours"]
    ratio = mine.cpu / floor.cpu
    lines = [
        Line("floor: asyncio + COPY, nothing checked", floor, rows),
        Line(
            "ours: extract run --mode full",
            mine,
            rows,
            f"CPU {ratio:.1f} × floor",
            f"≤ {CPU_OF_FLOOR} ×, ≤ {MEBIBYTES} MiB",
            ratio <= CPU_OF_FLOOR and mine.mebibytes <= MEBIBYTES,
        ),
    ]
    for name, what in (("dlt", "dlt rest_api source, defaults"), ("singer", "Singer tap + target")):
        if name in costs:
            cost = costs[name]
            beside = f"CPU {cost.cpu / floor.cpu:.1f} × floor, {cost.cpu / mine.cpu:.1f} × ours"
            lines.append(Line(what, cost, rows, beside))
    return lines, notes


def grow(factors: list[int]) -> list[Line]:
    """The same pass over networks of other sizes, each in a place of its own."""
    lines: list[Line] = []
    first: tuple[Cost, int] | None = None
    for factor in factors:
        with place() as at, sandbox(at, 40_335 * factor):
            cost, said = run(EXTRACT, at.environment)
        rows, calls = _counts(said)
        first = first or (cost, rows)
        seconds = (cost.cpu / rows) / (first[0].cpu / first[1])
        memory = cost.mebibytes / first[0].mebibytes
        lines.append(
            Line(
                f"{factor} ×: {40_335 * factor:,} students, {rows:,} rows, {calls:,} calls",
                cost,
                rows,
                f"CPU a row × {seconds:.2f}, memory × {memory:.2f}, "
                f"{1000 * calls / rows:.1f} calls per 1,000 rows",
                f"≤ {GROWTH_SECONDS} ×, ≤ {GROWTH_MEMORY} ×",
                seconds <= GROWTH_SECONDS and memory <= GROWTH_MEMORY,
            )
        )
    return lines


def _fresh(at: Place, command: list[str]) -> Cost:
    empty(at)
    return run(command, at.environment)[0]


def _rest_api(at: Place, address: str) -> Cost:
    empty(at)
    directory = at.local / "peer"
    shutil.rmtree(directory, ignore_errors=True)
    words = dict(word.split("=") for word in at.address().split())
    credentials = f"postgresql://{words['user']}:x@localhost/{words['dbname']}?host={words['host']}"
    environment = {
        **at.environment,
        "DESTINATION__POSTGRES__CREDENTIALS": credentials,
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    command = [PYTHON, "-m", "benchmarks.rest_api", address, str(directory)]
    return run(command, environment)[0]


def _singer() -> list[str]:
    command = os.environ.get("BENCH_SINGER", "")
    return [command] if command and Path(command).is_file() else []


def _rows(at: Place) -> int:
    """Rows of the last variant's tables that all variants fill."""
    empty(at)
    _, said = run(EXTRACT, at.environment)
    return _counts(said)[0]


def _counts(said: str) -> tuple[int, int]:
    """Rows and calls from the extraction's last words."""
    found = re.search(r"([\d,]+) rows read in ([\d,]+) calls", said)
    if not found:
        raise RuntimeError(f"no counts in: {said[-300:]}")
    rows, calls = (int(text.replace(",", "")) for text in found.groups())
    return rows, calls
