"""`make status`: one JSON object, or one screen, with colours only where they are wanted."""

import json as json_module
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Column, Table

from extract.base.errors import MirrorError
from extract.console import make_console
from extract.tables import streams_on
from extract.tables.streams import STREAMS
from ops.status.status import Status, read_status
from ops.status.verdict import Level, Verdict, judge

app = typer.Typer()
STYLES = {
    "published": "green",
    "unchanged": "green",
    "loaded": "green",
    "running": "cyan",
    "stopped": "yellow",
    "failed": "bold red",
    "ok": "green",
}
LEVEL_STYLES: dict[Level, str] = {"well": "green", "degraded": "bold yellow", "failing": "bold red"}
FEWEST_RULES = 6


@app.command()
def status(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say how the mirror is, and show runs, ages, row counts, quota, backfill and backups."""
    streams_on()  # a typing error in it is said as what it is
    now = read_status()
    verdict = judge(now)
    if json:
        document = {"verdict": verdict.document(), **asdict(now)}
        typer.echo(json_module.dumps(document, default=_plain, indent=2))
    elif not now.unreachable:
        print_status(now, verdict, make_console())
    if now.unreachable:
        raise MirrorError(f"The status cannot be read: {now.unreachable}")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_status(status: Status, verdict: Verdict, console: Console) -> None:
    """Print it. Rich leaves colours out without a terminal and with NO_COLOR."""
    _title(status, console)
    if not status.started:
        console.print("Nothing has run yet. Next: `make sync`.")
        return
    style = LEVEL_STYLES[verdict.level]
    console.print(f"[{style}]{escape(verdict.headline)}.[/{style}]")
    for reason in verdict.reasons:
        console.print(f"  - {escape(reason.sentence)}")
    console.print()
    console.print(_runs(status))
    console.print()
    if status.tables:
        console.print(_tables(status))
        console.print()
    name_column = Column(style="bold", no_wrap=True)
    table = Table(name_column, Column(), box=None, show_header=False, pad_edge=False)
    for name, text in facts(status, lambda moment: ago(moment, status.at)):
        table.add_row(name, escape(text))
    console.print(table)


def _title(status: Status, console: Console) -> None:
    base = status.database
    kind = "embedded PostgreSQL" if base["embedded"] else "PostgreSQL"
    console.print(
        f"[bold]fortytwo-mirror[/bold]  {status.at:%Y-%m-%d %H:%M} UTC  "
        f"{kind} {base['version'].split()[0]}, database {escape(base['name'])}, "
        f"{decimal(base['bytes'])}"
    )
    if status.running:
        console.print(f"[cyan]Running now:[/cyan] {escape(status.running)}{_at_work(status)}")
    console.print()


def _at_work(status: Status) -> str:
    """What the run at work says of itself."""
    run = status.at_work
    if not run or not run["phase"]:
        return ""
    of = f" of {run['planned_calls']:,}" if run["planned_calls"] else ""
    end = f", ends about {run['ends_at']:%H:%M} UTC" if run["ends_at"] else ""
    return f": {run['phase']}, {run['calls'] or 0:,}{of} calls{end}"


def _runs(status: Status) -> Table:
    table = _table("last run", "status", "ended", "took", "calls", "last good")
    for run in status.runs:
        ended = "running" if run["status"] == "running" else ago(run["finished_at"], status.at)
        table.add_row(
            run["mode"],
            _styled(run["status"]),
            ended,
            _duration(run["seconds"]),
            _count(run["calls"]),
            ago(status.last_good.get(run["mode"]), status.at),
        )
    for job, last in sorted(status.jobs.items()):
        if not job.startswith("sync "):
            seconds = _between(last.started_at, last.finished_at)
            good = ago(last.finished_at, status.at) if last.status == "ok" else "-"
            ended = ago(last.finished_at, status.at)
            table.add_row(job, _styled(last.status), ended, _duration(seconds), "", good)
    return table


def _tables(status: Status) -> Table:
    published = ago(status.published_at, status.at)
    table = _table("mirror table", "rows", "new", "changed", "gone", "last change", "read from API")
    table.caption = f"as published {published}; new, changed and gone in that publication"
    table.caption_justify = "left"
    for row in status.tables:
        table.add_row(
            row["table"],
            f"{row['rows']:,}",
            *(_count(row[kind] or None) for kind in ("inserted", "updated", "deleted")),
            ago(row["changed_at"], status.at),
            ago(row["read_at"], status.at),
        )
    return table


def facts(status: Status, when: Callable[[datetime], str]) -> list[tuple[str, str]]:
    """What is neither a run nor a table, as lines of a name and a text, for terminal and page.

    Args:
        status: The reading.
        when: How a moment is shown.
    """
    found = [] if status.unreachable else _recorded(status, when)
    found.append(("backup", _backup(status, when)))
    for job, label in (("restore-drill", "restore drill"), ("check", "check")):
        last = status.jobs.get(job)
        ended = when(datetime.fromisoformat(last.finished_at)) if last else ""
        found.append((label, f"{last.status}, {ended}" if last else "none yet"))
    found.append(("disk", _disk(status)))
    found.append(("schedule", _schedule(status)))
    return found


def _recorded(status: Status, when: Callable[[datetime], str]) -> list[tuple[str, str]]:
    """What only the database knows."""
    off = [name for name in STREAMS if name not in status.streams]
    on = [name for name in STREAMS if name in status.streams]
    return [
        ("left out", _rejected(status)),
        ("API calls", _calls(status)),
        ("streams", f"{', '.join(on)}; off: {', '.join(off) or 'none'}"),
        *(("backfill", f"{row['resource']}: {_backfill(row)}") for row in status.backfill),
        ("credentials", _application(status, when)),
    ]


def _rejected(status: Status) -> str:
    rules = sorted(status.rejected.items(), key=lambda item: -item[1])
    shown = [f"{rule} {count:,}" for rule, count in rules[:FEWEST_RULES]]
    more = [f"{len(rules) - FEWEST_RULES} rules more"] if len(rules) > FEWEST_RULES else []
    total = f"{sum(status.rejected.values()):,} rows"
    return f"{total}: {', '.join(shown + more)}" if rules else "nothing"


def _calls(status: Status) -> str:
    calls = status.calls
    if not calls:
        return "none yet"
    left = calls.get("left_now")
    limit = calls.get("hourly_limit")
    known = f", {left:,} of {limit:,} left then" if left is not None and limit else ""
    failed = calls.get("day_failed") or 0
    return (
        f"{calls.get('hour') or 0:,} in the hour to {status.at:%H:%M} UTC{known}, "
        f"{calls.get('day') or 0:,} in 24 hours ({failed:,} tried again)"
    )


def _backfill(row: dict[str, Any]) -> str:
    share = 100 * row["read"] / row["students"] if row["students"] else 100
    text = f"{row['read']:,} of {row['students']:,} {row['called']}, {share:.1f} %"
    if row["left_to_read"]:
        hours = row["hours_left"]
        text += f", done in about {_duration(hours * 3600)}" if hours else ", not under way"
    return text


def _application(status: Status, when: Callable[[datetime], str]) -> str:
    application = status.application
    if not application:
        return "not used yet"
    if application.get("refused_at"):
        return f"refused by the API since {application['refused_at']:%Y-%m-%d %H:%M} UTC"
    until = application["secret_valid_until"]
    days = (until - status.at) / timedelta(days=1) if until else None
    secret = f"secret good for {days:.1f} days" if days is not None else "secret's end unknown"
    if until and until <= status.at:
        secret = f"secret expired on {until:%Y-%m-%d}"
    return f"{secret}, last used {when(application['seen_at'])}"


def _backup(status: Status, when: Callable[[datetime], str]) -> str:
    backup = status.backup
    if not backup:
        return "none"
    kind = "encrypted" if backup["encrypted"] else "not encrypted"
    return f"{when(backup['at'])}, {decimal(backup['bytes'])}, {kind}, {backup['count']} kept"


def _disk(status: Status) -> str:
    disk = status.disk
    parts = sorted(disk["local"].items(), key=lambda item: -item[1])
    inside = ", ".join(f"{name} {decimal(size)}" for name, size in parts[:4])
    free = f"{decimal(disk['free_bytes'])} free of {decimal(disk['total_bytes'])}"
    return f"{free}; {inside}" if inside else free


def _schedule(status: Status) -> str:
    if status.schedule_stopped:
        return "does not run"
    if not status.schedule:
        return "nothing scheduled: `make cron-install`"
    order = sorted(status.schedule.items(), key=lambda item: item[1])
    times = ", ".join(f"{job} {at:%H:%M}" for job, at in order)
    return f"next {times} UTC ({status.scheduled_by})"


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(names):
        right = name in ("took", "calls", "rows", "new", "changed", "gone")
        table.add_column(name, justify="right" if right else "left", no_wrap=number < 3)
    return table


def _styled(status: str) -> str:
    style = STYLES.get(status, "")
    return f"[{style}]{status}[/{style}]" if style else status


def ago(moment: datetime | str | None, now: datetime) -> str:
    """How long ago that was."""
    if not moment:
        return "-"
    then = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{_duration(max(0.0, (now - then).total_seconds()))} ago"


def _between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
