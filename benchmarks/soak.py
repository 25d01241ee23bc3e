"""A week of passes with a fault in every hundredth call: nothing is lost, nothing grows.

    python -m benchmarks.soak                                     # small: about ten minutes
    python -m benchmarks.soak --scale network --no-relations      # about twenty minutes
    python -m benchmarks.soak --scale network                     # with 2.4 million rows: hours

Full passes back to back first, then live passes and a nightly sync while the network lives on. The
end must equal the sandbox's truth; every measure of the last day must be within its bound.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from extract import embedded
from tests.conftest import short_directory, started_sandbox
from tests.end_to_end import oracle
from tests.faults import lab
from tests.faults.lab import Case, Postgres, Sandbox, run_here
from tests.faults.truth import FULL, RELATIONS, differences

# faults that a run must survive without a word; a share of calls meets one of them
TRANSIENT = (
    "token_expired",
    "429_second",
    "500",
    "502",
    "503",
    "504",
    "cloudflare_403",
    "html_200",
    "object_200",
    "truncated_json",
    "reset_before_body",
    "reset_in_body",
    "gzip_damage",
    "missing_total",
    "wrong_total",
    "page_repeated",
    "row_moved",
    "empty_list",
    "duplicate_ids",
)
LIFE = {"edit_with_updated_at": 12, "edit_silently": 3, "new_relations": 3, "new_users": 1}
NIGHT = {"delete_users": 1, "delete_relations": 3, "recreate_relations": 3, "transfer": 1}
# so many times the changes: a network of 40,335 students has 1,759 in four hours (42-api.md, 6.1)
BUSY = {"small": 1, "network": 100}
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Measure:
    """What a day left behind."""

    process: int
    child: int
    connections: int
    files: int
    temporary: int
    dead: int
    live: int
    database: int

    def __str__(self) -> str:
        return (
            f"process {self.process >> 20} MB, largest child {self.child >> 20} MB, "
            f"connections {self.connections}, working files {self.files >> 10} kB, temporary files "
            f"{self.temporary >> 10} kB, dead rows {self.dead} of {self.live}, database "
            f"{self.database >> 20} MB"
        )


def measure(case: Case) -> Measure:
    """Look at everything that might grow."""
    case.ask("select pg_stat_force_next_flush()")
    ((connections,),) = case.ask(
        "select count(*) from pg_stat_activity where datname = current_database() "
        "and pid <> pg_backend_pid() and backend_type = 'client backend'"
    )
    ((size,),) = case.ask("select pg_database_size(current_database())")
    # what a sort or a join spills is gone with its statement
    ((temporary,),) = case.ask("select coalesce(sum(size), 0) from pg_ls_tmpdir()")
    ((dead, live),) = case.ask("select sum(n_dead_tup), sum(n_live_tup) from pg_stat_user_tables")
    ours = [
        path
        for name in ("listings", "dlt", "state")
        for path in (case.local / name).rglob("*")
        if path.is_file()
    ]
    return Measure(
        psutil.Process().memory_info().rss,
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        int(connections),
        sum(path.stat().st_size for path in ours),
        int(temporary),
        int(dead),
        int(live),
        int(size),
    )


def set_faults(sandbox: Sandbox, rate: float, chance: random.Random, calls: int = 50_000) -> int:
    """Let a share of the coming calls meet a fault; returns how many of the last ones did."""
    fired = sum(sandbox.fired())
    sandbox.mend()
    struck: dict[str, list[int]] = {}
    for call in range(1, calls + 1):
        if chance.random() < rate:
            struck.setdefault(chance.choice(TRANSIENT), []).append(call)
    for kind, moments in struck.items():
        sandbox.break_(kind=kind, path="^/v2/", call=moments)
    return fired


def soak(case: Case, options: argparse.Namespace) -> list[Measure]:
    """Full passes, then days of live passes with a sync each night."""
    chance = random.Random(options.seed)
    failures = fired = 0
    for number in range(options.passes):
        fired += set_faults(case.sandbox, options.rate, chance)
        ran = run_here("full")
        failures += ran.error is not None
        print(f"full pass {number + 1}: {ran.error or 'loaded'}", flush=True)
    if options.relations:
        failures += backfill(5)
    life, night = (
        {what: number * BUSY[options.scale] for what, number in changes.items()}
        for changes in (LIFE, NIGHT)
    )
    measures = []
    for day in range(1, options.days + 1):
        for _ in range(0, 24, options.every):
            case.sandbox.control("advance", life)
            case.sandbox.control("clock", {"advance_seconds": options.every * 3600})
            fired += set_faults(case.sandbox, options.rate, chance)
            failures += run_here("live").error is not None
        case.sandbox.control("advance", night)
        fired += set_faults(case.sandbox, options.rate, chance)
        status, said = case.run("ops", "sync", timeout=1800)
        failures += status != 0
        if status:
            print(said[-1000:], file=sys.stderr)
        measures.append(measure(case))
        print(f"day {day}: {measures[-1]}", flush=True)
    fired += sum(case.sandbox.fired())
    print(f"{fired} calls met a fault; {failures} passes failed and were made good by the next")
    return measures


def backfill(tries: int) -> int:
    """Read every relation; returns how often it failed and went on."""
    for failed in range(tries):
        ran = run_here("backfill")
        print(f"backfill: {ran.error or 'loaded'}", flush=True)
        if ran.error is None:
            return failed
    return tries


def out_of_bounds(measures: list[Measure]) -> list[str]:
    """What grew although it must not; the first day is the yardstick."""
    first, last = measures[0], measures[-1]
    bounds = {
        "memory of this process": last.process > first.process * 1.2 + 20 * MEBIBYTE,
        "memory of a sync": last.child > first.child * 1.2 + 20 * MEBIBYTE,
        "connections left open": last.connections > 0,
        "working files": last.files > 64 * 1024,
        "temporary files": last.temporary > 0,
        "dead rows": last.dead > last.live / 2,
        "the database": last.database > first.database * 1.2 + 64 * MEBIBYTE,
    }
    return [name for name, broken in bounds.items() if broken]


def main() -> int:
    """Soak, compare, measure; the exit status says whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="small", choices=("small", "network"))
    parser.add_argument("--passes", type=int, default=5, help="full passes back to back")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--every", type=int, default=4, help="hours between live passes")
    parser.add_argument("--rate", type=float, default=0.01, help="share of calls with a fault")
    parser.add_argument(
        "--relations", action=argparse.BooleanOptionalAction, default=True, help="and their truth"
    )
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    started = time.monotonic()
    world = ("--scale", options.scale, "--next-secret", lab.NEXT_SECRET)
    with short_directory() as local, started_sandbox(*world) as address:
        os.environ.update(lab.settings_of(address, local))
        embedded.start(local)
        variables = {"PGHOST": str(embedded.socket_directory(local)), "PGPORT": str(embedded.PORT)}
        server = Postgres({**variables, "PGUSER": embedded.NAME})
        sandbox = Sandbox(address)
        case = Case(sandbox, embedded.NAME, server.connect(embedded.NAME), Path(local))
        measures = soak(case, options)
        sandbox.mend()
        if options.relations:
            lab.stale(case.connection)  # as after RECONCILE_DAYS: every relation is read again
            backfill(1)
        status, said = case.run("ops", "sync", timeout=1800)
        wrong = [said] if status else differences(case.connection, sandbox.truth, FULL)
        if options.relations:
            wrong += differences(case.connection, sandbox.truth, RELATIONS)
        truth = oracle.expected(address, relations=options.relations)
        wrong += oracle.differences(case.connection, truth)
        grown = out_of_bounds(measures)
        case.connection.close()
    print(f"{time.monotonic() - started:.0f} s, {len(wrong)} differences from the truth")
    print(*wrong[:20], sep="\n")
    print("nothing grew beyond its bound" if not grown else f"GREW: {', '.join(grown)}")
    return int(bool(wrong or grown))


if __name__ == "__main__":
    sys.exit(main())
