"""A day's calls at the network's size, by stream: 96 live passes and the full pass of a night."""

from __future__ import annotations

import sys
import time
from collections import Counter
from datetime import UTC, datetime

from benchmarks.extraction import EXTRACT
from benchmarks.measure import run
from benchmarks.place import Place, control
from benchmarks.table import Line
from extract.tables import READS, TABLES
from extract.tables.streams import STREAMS
from sandbox.world.values import EPOCH

PASSES = 96
MOST_CALLS, MOST_CALLS_DEFAULT, MOST_CALLS_NOTHING_NEW = 12_000, 6_000, 16
# a quarter of an hour of 40,335 students: 1,759 change in four hours, a third of them unsaid, and 6
# leave (42-api.md, section 6); a million sessions in 90 days, half a million evaluations in a year
CHANGES = {
    "edit_with_updated_at": 75,
    "edit_silently": 35,
    "new_relations": 60,
    "form_teams": 10,
    "retry_teams": 5,
    "give_up_teams": 2,
    "new_users": 1,
    "transfer": 1,
    "start_quests": 4,
    "validate_quests": 4,
    "edit_events": 2,
    "sign_up": 12,
    "open_sessions": 116,
    "close_sessions": 116,
    "book_evaluations": 15,
    "hold_evaluations": 12,
    "miss_evaluations": 1,
}
PASSES_BETWEEN = 16  # of four hours
OF_FOUR_HOURS = {
    "alumnise": 4,
    "anonymise": 1,
    "delete_users": 1,
    "delete_relations": 3,
    "recreate_relations": 4,
    "leave_teams": 1,
    "delete_sessions": 4,
    "cancel_evaluations": 8,
    "new_events": 8,
    "cancel_sign_up": 4,
}
# as if every batch had been read on its day of the last 30, and counted yesterday
STEADY = """
update ops.{reads} set
    checked_at = now() - interval '25 hours',
    read_at = now() - make_interval(days => ({parent} % 29)::integer)
"""
STREAM_OF = {f"/v2{table.path}": table.stream for table in TABLES.values() if not table.comes_with}


def spent(at: Place, address: str) -> list[Line]:
    """The first fill, a live pass with nothing new, and a day with all streams and the default."""
    for stream in STREAMS.values():
        if stream.days:
            days = (datetime.now(UTC) - EPOCH).days + stream.days
            at.environment[stream.retention] = str(days)
    at.environment["STREAMS"] = ",".join(STREAMS)
    backfill, live = ([*EXTRACT[:-1], mode] for mode in ("backfill", "live"))

    def calls_of(*commands: list[str]) -> Counter[str]:
        before = Counter(control(address, "calls")["paths"])
        for command in commands:
            run(command, at.environment)
        found = Counter[str]()
        for path, calls in (Counter(control(address, "calls")["paths"]) - before).items():
            if path != "/oauth/token":
                found[STREAM_OF.get(path, "essential")] += calls
        print(time.strftime("%T"), dict(found), file=sys.stderr)
        return found

    fill = calls_of(EXTRACT, backfill)
    rows = Counter[str]()
    for table in TABLES.values():
        rows[table.stream] += at.value(f"select count(*) from raw.{table.name}")
    # the first one also reads what the full pass overlapped
    run(live, at.environment)
    nothing = calls_of(live)
    for reads, parent in READS.items():
        at.execute(STEADY.format(reads=reads, parent=parent))
    at.environment["BACKFILL_CALLS"] = "200"  # as the schedule has it
    day = Counter[str]()
    for number in range(PASSES):
        control(address, "advance", CHANGES | ({} if number % PASSES_BETWEEN else OF_FOUR_HOURS))
        control(address, "clock", {"advance_seconds": 86_400 / PASSES})
        day += calls_of(live)
    del at.environment["BACKFILL_CALLS"]
    night = calls_of(EXTRACT)
    default = [name for name, stream in STREAMS.items() if stream.default]
    at.environment["STREAMS"] = ",".join(default)
    of_default = calls_of(EXTRACT).total() + sum(day[name] for name in default)
    return [
        *(
            Line(
                f"{name}: first fill; a day",
                None,
                of=f"{fill[name]:,} calls for {rows[name]:,} rows; {day[name] + night[name]:,} "
                f"calls: live {day[name]:,}, night {night[name]:,}",
            )
            for name in STREAMS
        ),
        _total("live pass with all streams, nothing new", nothing.total(), MOST_CALLS_NOTHING_NEW),
        _total("a day with all streams", day.total() + night.total(), MOST_CALLS),
        _total("a day with the default streams", of_default, MOST_CALLS_DEFAULT),
    ]


def _total(what: str, calls: int, most: int) -> Line:
    return Line(what, None, of=f"{calls:,} calls", target=f"≤ {most:,}", met=calls <= most)
