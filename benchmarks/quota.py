"""Calls per 1,000 rows and per changed row, by resource: the quota is the scarce thing."""

from __future__ import annotations

from benchmarks.extraction import EXTRACT
from benchmarks.measure import PYTHON, run
from benchmarks.place import Place, control
from benchmarks.table import Line

CHANGED = 400
BACKFILL_CALLS = "600"


def spent(at: Place, address: str) -> list[Line]:
    """A full pass, a piece of a backfill and a live pass over a fresh mirror; 10 is the least."""
    run(EXTRACT, at.environment)
    lines = _of_last_run(at, "full")
    extract = [PYTHON, "-m", "extract", "run", "--mode"]
    run([*extract, "backfill", "--max-calls", BACKFILL_CALLS], at.environment)
    lines += _of_last_run(at, "backfill")
    # the first one also reads what the full pass overlapped
    run([*extract, "live"], at.environment)
    control(address, "advance", {"edit_with_updated_at": CHANGED, "seed": 7})
    run([*extract, "live"], at.environment)
    return lines + _of_last_run(at, "live")


def _of_last_run(at: Place, mode: str) -> list[Line]:
    found = at.rows(
        "select resource, sum(rows)::bigint, sum(calls)::bigint from ops.listings "
        "where run_id = (select run_id from ops.runs order by started_at desc limit 1) "
        "group by resource order by sum(calls) desc, resource"
    )
    what = "a changed row" if mode == "live" else "per 1,000 rows"
    lines = []
    for table, rows, calls in found:
        rate = calls / rows if rows else 0.0
        shown = f"{rate:.3f}" if mode == "live" else f"{1000 * rate:.1f}"
        beside = f"{calls:,} calls for {rows:,} rows" + (f": {shown} {what}" if rows else "")
        lines.append(Line(f"{mode}: {table}", None, of=beside))
    return lines
