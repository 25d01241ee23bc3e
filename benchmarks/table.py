"""The table that a benchmark prints; it is Markdown, to be kept as it is."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import Cost


@dataclass(frozen=True)
class Line:
    """One line: what was measured, beside what it is measured against.

    Attributes:
        of: The figure's floor or peer says how the ratios come about; empty for the floor itself.
        target: What it must reach, in words.
        met: Whether it does; None when nothing is promised.
    """

    what: str
    cost: Cost
    rows: int | None = None
    of: str = ""
    target: str = ""
    met: bool | None = None


def render(title: str, lines: list[Line]) -> str:
    """A Markdown table with aligned columns."""
    cells = [["", "wall s", "CPU s", "MiB", "rows/s", "beside", "must be", "is it"]]
    for line in lines:
        rate = f"{line.rows / line.cost.wall:,.0f}" if line.rows and line.cost.wall else ""
        cpu = f"{line.cost.cpu:.1f}" if line.cost.cpu else "–"
        size = f"{line.cost.mebibytes:.0f}" if line.cost.mebibytes else "–"
        met = {True: "yes", False: "**no**", None: ""}[line.met]
        cells.append(
            [line.what, f"{line.cost.wall:.1f}", cpu, size, rate, line.of, line.target, met]
        )
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    aligned = [
        "| "
        + " | ".join(
            cell.ljust(width) if column in (0, 5, 6, 7) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([f"### {title}", "", aligned[0], rule, *aligned[1:], ""])


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
