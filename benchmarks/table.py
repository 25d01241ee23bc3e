"""The table that a benchmark prints; it is Markdown, to be kept as it is."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import Cost


@dataclass(frozen=True)
class Line:
    """One line: what was measured, beside what it is measured against.

    Attributes:
        cost: None when it could not be measured; `of` says why.
        of: What it comes to beside its floor or peer; empty for the floor itself.
        target: What it must reach, in words.
        met: Whether it does; None when nothing is promised.
    """

    what: str
    cost: Cost | None
    rows: int | None = None
    of: str = ""
    target: str = ""
    met: bool | None = None


def render(parts: Mapping[str, Sequence[Line]]) -> str:
    """All lines as one Markdown table with aligned columns."""
    cells = [["", "", "wall s", "CPU s", "MiB", "rows/s", "beside", "must be", "is it"]]
    for part, lines in parts.items():
        for number, line in enumerate(lines):
            met = {True: "yes", False: "**no**", None: ""}[line.met]
            first = "" if number else part
            cells.append([first, line.what, *_figures(line), line.of, line.target, met])
    right = range(2, 6)
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    aligned = [
        "| "
        + " | ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in cells
    ]
    marks = ["-" * (width + 1) + ("-:"[column in right]) for column, width in enumerate(widths)]
    return "\n".join([aligned[0], f"|{'|'.join(marks)}|", *aligned[1:]])


def _figures(line: Line) -> list[str]:
    cost = line.cost
    if cost is None:
        return [""] * 4
    return [
        f"{cost.wall:.1f}",
        f"{cost.cpu:.1f}",
        f"{cost.mebibytes:.0f}",
        f"{line.rows / cost.wall:,.0f}" if line.rows else "",
    ]


def machine() -> str:
    """One sentence on where and when."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores ({model}), "
        f"{memory} GiB, Linux {platform.release()}; load before: {load}"
    )
