"""Reading the network into empty tables: ours, the floor, the peers; and as the network grows."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from benchmarks import peers
from benchmarks.measure import PYTHON, Cost, repeated, run
from benchmarks.place import Place, place, sandbox
from benchmarks.table import Line

EXTRACT = [PYTHON, "-m", "extract", "run", "--mode", "full"]
CPU_OF_FLOOR, CPU_OF_SINGER, MEBIBYTES = 2.5, 0.5, 200
GROWTH_SECONDS, GROWTH_MEMORY = 1.3, 1.5


def empty(at: Place) -> None:
    """Forget what any variant has loaded."""
    at.execute(
        "drop schema if exists raw, raw_staging, floor, peer, peer_staging, ops cascade;"
        "create schema peer"
    )


def compare(at: Place, address: str, runs: int, with_peers: bool = True) -> list[Line]:
    """Everything a full pass reads: the students, their cursus_users, the reference tables."""
    floor = [PYTHON, "-m", "benchmarks.floor", address, at.address()]
    variants: dict[str, Callable[[], Cost]] = {
        "floor": lambda: run(floor, at.environment)[0],
        "ours": lambda: run(EXTRACT, at.environment)[0],
    }
    missing = ""
    if with_peers:
        variants["dlt"] = lambda: peers.rest_api(at, address)
        missing = peers.install_singer()
        if not missing:
            variants["singer"] = lambda: peers.singer(at, address)
    empty(at)
    _, said = run(EXTRACT, at.environment)  # also warms up the sandbox and the disk
    rows, _ = _counts(said)
    costs = repeated(runs, {name: partial(_fresh, at, load) for name, load in variants.items()})
    lines = [Line("floor: asyncio + COPY, nothing checked", costs["floor"], rows)]
    lines.append(_ours(costs, rows))
    names = {"dlt": "dlt rest_api source, defaults", "singer": "Singer SDK tap + target-postgres"}
    for name, what in names.items():
        if name in costs:
            lines.append(Line(what, costs[name], rows, _beside(costs, name)))
    if missing:
        lines.append(Line(names["singer"], None, of=f"could not be installed: {missing}"))
    return lines


def grow(factors: list[int], students: int) -> list[Line]:
    """The same pass over networks of other sizes, each in a place of its own."""
    lines: list[Line] = []
    first: tuple[Cost, int] | None = None
    for factor in factors:
        with place() as at, sandbox(at, students * factor) as address:
            cost, said = run(EXTRACT, at.environment)
            rows, calls = _counts(said)
            empty(at)
            floor, _ = run(
                [PYTHON, "-m", "benchmarks.floor", address, at.address()], at.environment
            )
        first = first or (cost, rows)
        seconds = (cost.cpu / rows) / (first[0].cpu / first[1])
        memory = cost.mebibytes / first[0].mebibytes
        name = f"{factor} × {students:,} students, {rows:,} rows"
        lines += [
            Line(f"{name}: floor", floor, rows),
            Line(
                f"{name}: ours",
                cost,
                rows,
                f"CPU a row × {seconds:.2f}, memory × {memory:.2f}, "
                f"{1000 * calls / rows:.1f} calls per 1,000 rows",
                f"≤ {GROWTH_SECONDS} ×, ≤ {GROWTH_MEMORY} ×",
                seconds <= GROWTH_SECONDS and memory <= GROWTH_MEMORY,
            ),
        ]
    return lines


def _fresh(at: Place, load: Callable[[], Cost]) -> Cost:
    empty(at)
    return load()


def _ours(costs: dict[str, Cost], rows: int) -> Line:
    mine = costs["ours"]
    of_floor = mine.cpu / costs["floor"].cpu
    beside = [f"CPU {of_floor:.1f} × floor"]
    targets = [f"≤ {CPU_OF_FLOOR} ×"]
    met = of_floor <= CPU_OF_FLOOR and mine.mebibytes <= MEBIBYTES
    if "singer" in costs:
        of_singer = mine.cpu / costs["singer"].cpu
        beside.append(f"{of_singer:.2f} × Singer")
        targets.append(f"≤ {CPU_OF_SINGER} ×")
        met = met and of_singer <= CPU_OF_SINGER
    targets.append(f"≤ {MEBIBYTES} MiB")
    return Line(
        "ours: extract run --mode full", mine, rows, ", ".join(beside), ", ".join(targets), met
    )


def _beside(costs: dict[str, Cost], name: str) -> str:
    cpu = costs[name].cpu
    return f"CPU {cpu / costs['floor'].cpu:.1f} × floor, {cpu / costs['ours'].cpu:.1f} × ours"


def _counts(said: str) -> tuple[int, int]:
    """Rows and calls from the extraction's last words."""
    found = re.search(r"([\d,]+) rows read in ([\d,]+) calls", said)
    if not found:
        raise RuntimeError(f"no counts in: {said[-300:]}")
    rows, calls = (int(text.replace(",", "")) for text in found.groups())
    return rows, calls
