"""`make status` on a terminal: one screen, colours only where they are wanted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.status.status import Status, age

STYLES = {
    "published": "green",
    "unchanged": "green",
    "loaded": "green",
    "running": "cyan",
    "stopped": "yellow",
    "failed": "bold red",
    "ok": "green",
}
FEWEST_RULES = 6


def print_status(status: Status, console: Console) -> None:
    """Print it. Rich leaves colours out without a terminal and with NO_COLOR."""
    _title(status, console)
    if not status.started:
        console.print("Nothing has run yet. Next: `make sync`.")
        return
    console.print(_runs(status))
    console.print()
    if status.tables:
        console.print(_tables(status))
        console.print()
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column()
    for name, text in _facts(status):
        facts.add_row(name, text)
    console.print(facts)
    if status.attention:
        console.print()
        console.print("Needs attention", style="bold red")
        for sentence in status.attention:
            console.print(f"  - {escape(sentence)}")
    else:
        console.print("\n[green]Nothing needs attention.[/green]")


def _title(status: Status, console: Console) -> None:
    base = status.database
    kind = "embedded PostgreSQL" if base["embedded"] else "PostgreSQL"
    console.print(
        f"[bold]fortytwo-mirror[/bold]  {status.at:%Y-%m-%d %H:%M} UTC  "
        f"{kind} {base['version'].split()[0]}, database {escape(base['name'])}, "
        f"{_bytes(base['bytes'])}"
    )
    if status.running:
        console.print(f"[cyan]Running now:[/cyan] {escape(status.running)}")
    console.print()


def _runs(status: Status) -> Table:
    table = _table("last run", "status", "ended", "took", "calls", "last good")
    for run in status.runs:
        ended = "running" if run["status"] == "running" else _ago(run["finished_at"], status.at)
        table.add_row(
            run["mode"],
            _styled(run["status"]),
            ended,
            _duration(run["seconds"]),
            _count(run["calls"]),
            _ago(status.last_good.get(run["mode"]), status.at),
        )
    for job, last in sorted(status.jobs.items()):
        if not job.startswith("sync "):
            seconds = _between(last.started_at, last.finished_at)
            good = _ago(last.finished_at, status.at) if last.status == "ok" else "-"
            ended = _ago(last.finished_at, status.at)
            table.add_row(job, _styled(last.status), ended, _duration(seconds), "", good)
    return table


def _tables(status: Status) -> Table:
    published = _ago(status.published_at, status.at)
    table = _table("mirror table", "rows", "new", "changed", "gone", "last change", "read from API")
    table.caption = f"as published {published}; new, changed and gone in that publication"
    table.caption_justify = "left"
    for row in status.tables:
        table.add_row(
            row["table"],
            f"{row['rows']:,}",
            *(_count(row[kind] or None) for kind in ("inserted", "updated", "deleted")),
            _ago(row["changed_at"], status.at),
            _ago(row["read_at"], status.at),
        )
    return table


def _facts(status: Status) -> list[tuple[str, str]]:
    facts = [("left out", _rejected(status)), ("API calls", _calls(status.calls))]
    facts += [("backfill", f"{row['resource']}: {_backfill(row)}") for row in status.backfill]
    facts.append(("credentials", _application(status)))
    facts.append(("backup", _backup(status)))
    facts.append(("disk", _disk(status)))
    facts.append(("next", _next(status)))
    return facts


def _rejected(status: Status) -> str:
    rules = sorted(status.rejected.items(), key=lambda item: -item[1])
    shown = [f"{rule} {count:,}" for rule, count in rules[:FEWEST_RULES]]
    more = [f"{len(rules) - FEWEST_RULES} rules more"] if len(rules) > FEWEST_RULES else []
    total = f"{sum(status.rejected.values()):,} rows"
    return f"{total}: {', '.join(shown + more)}" if rules else "nothing"


def _calls(calls: dict[str, Any]) -> str:
    if not calls:
        return "none yet"
    left = calls.get("left_now")
    limit = calls.get("hourly_limit")
    known = f", {left:,} of {limit:,} left in this hour" if left is not None and limit else ""
    failed = calls.get("day_failed") or 0
    return (
        f"{calls.get('hour') or 0:,} in the last hour, {calls.get('day') or 0:,} in 24 hours "
        f"({failed:,} tried again){known}"
    )


def _backfill(row: dict[str, Any]) -> str:
    share = 100 * row["read"] / row["students"] if row["students"] else 100
    text = f"{row['read']:,} of {row['students']:,} students, {share:.1f} %"
    if row["left_to_read"]:
        hours = row["hours_left"]
        text += f", done in about {_duration(hours * 3600)}" if hours else ", not under way"
    return text


def _application(status: Status) -> str:
    application = status.application
    if not application:
        return "not used yet"
    until = application["secret_valid_until"]
    days = (until - status.at) / timedelta(days=1) if until else None
    secret = f"secret good for {days:.1f} days" if days is not None else "secret's end unknown"
    token = application["token_valid_until"]
    life = (token - status.at) / timedelta(minutes=1)
    return secret + (f", last token for {life:.0f} minutes" if life > 0 else ", last token over")


def _backup(status: Status) -> str:
    backup = status.backup
    if not backup:
        return "none"
    kind = "encrypted" if backup["encrypted"] else "not encrypted"
    return (
        f"{_ago(backup['at'], status.at)}, {_bytes(backup['bytes'])}, {kind}, "
        f"{backup['count']} kept"
    )


def _disk(status: Status) -> str:
    disk = status.disk
    parts = sorted(disk["local"].items(), key=lambda item: -item[1])
    inside = ", ".join(f"{name} {_bytes(size)}" for name, size in parts[:4])
    free = f"{_bytes(disk['free_bytes'])} free of {_bytes(disk['total_bytes'])}"
    return f"{free}; {inside}" if inside else free


def _next(status: Status) -> str:
    if not status.schedule:
        return "nothing scheduled"
    order = sorted(status.schedule.items(), key=lambda item: item[1])
    times = ", ".join(f"{job} {at:%H:%M}" for job, at in order)
    return f"{times} UTC ({status.scheduled_by})"


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(names):
        right = name in ("took", "calls", "rows", "new", "changed", "gone")
        table.add_column(name, justify="right" if right else "left", no_wrap=number < 3)
    return table


def _styled(status: str) -> str:
    style = STYLES.get(status, "")
    return f"[{style}]{status}[/{style}]" if style else status


def _ago(moment: datetime | str | None, now: datetime) -> str:
    passed = age(moment, now)
    return "-" if passed is None else f"{_duration(max(0.0, passed.total_seconds()))} ago"


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


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit in ("B", "kB") else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
