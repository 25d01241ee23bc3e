"""What a run would cost: calls per resource, the quota's state, the expected minutes."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

import psycopg2
from rich.console import Console
from rich.table import Table

from extract.api.client import FortyTwoClient
from extract.api.quota import MARGIN, Quota
from extract.base import database
from extract.base.errors import MirrorError
from extract.base.settings import Settings
from extract.listing.listing import (
    IDS_A_CALL,
    Listing,
    batches,
    of_campus,
    of_students,
    whole,
)
from extract.load.raw import Raw
from extract.passes.backfill import BACKFILLED, to_read
from extract.tables import TABLES

# batches of a relation that are asked for their length; the rest is estimated from them
SAMPLE = 16


@dataclass(frozen=True)
class PlannedResource:
    """Calls that one resource needs.

    Attributes:
        rows: Rows the API lists (X-Total), or an estimate when `estimated`.
    """

    name: str
    rows: int
    calls: int
    mode: str
    estimated: bool = False


@dataclass
class Plan:
    """The plan of a full pass and of the backfill that is left.

    Attributes:
        probes: Calls that making the plan took.
        quota_left: Calls left in this hour; of `hourly_limit`.
    """

    resources: list[PlannedResource] = field(default_factory=list)
    probes: int = 0
    quota_left: int = 0
    hourly_limit: int = 1200
    secondly_limit: int = 2

    def calls(self, mode: str) -> int:
        """Calls of a mode."""
        return sum(resource.calls for resource in self.resources if resource.mode == mode)

    def minutes(self, mode: str) -> float:
        """Expected minutes at the API's limits, from now; waiting for the hour included."""
        calls = self.calls(mode)
        paced = calls * MARGIN / self.secondly_limit
        beyond = max(0, calls - self.quota_left)
        hours = math.ceil(beyond / self.hourly_limit)
        return max(paced / 60, hours * 60.0)


def make_plan(campus_ids: Collection[int] | None = None) -> Plan:
    """Ask the API how long each list is (one row a list) and add up.

    Raises:
        MirrorError: The API cannot be reached or refuses the credentials.
    """
    settings = Settings.load()
    quota = Quota(f"{settings.api_url} {settings.client_id}", max_wait=60.0)
    client = FortyTwoClient(settings, quota)
    plan = Plan()
    cursus = settings.cursus_id

    def total(listing: Listing) -> int:
        page = client.page(listing.path, listing.params, size=1)
        return page.total if page.total is not None else len(page.rows)

    if campus_ids is None:
        for declared in TABLES.values():
            if declared.full == "whole":
                rows = total(whole(declared, cursus))
                plan.resources.append(PlannedResource(declared.name, rows, _pages(rows), "full"))
    campuses = client.page(TABLES["campus"].path, TABLES["campus"].params).rows
    if campus_ids is None:
        names = [campus["name"] for campus in campuses]
        shared = [campus["id"] for campus in campuses if names.count(campus["name"]) > 1]
        offered = [
            total(of_campus(TABLES["campus_achievements"], campus, cursus)) for campus in shared
        ]
        pages = sum(max(1, _pages(rows)) for rows in offered)
        plan.resources.append(PlannedResource("campus_achievements", sum(offered), pages, "full"))
    chosen = [c["id"] for c in campuses if campus_ids is None or c["id"] in campus_ids]
    counts = [total(of_campus(TABLES["users"], campus, cursus)) for campus in chosen]
    users = sum(counts)
    plan.resources.append(
        PlannedResource("users", users, sum(max(1, _pages(n)) for n in counts), "full")
    )
    plan.resources.append(PlannedResource("cursus_users", users, _pages(users), "full"))
    plan.resources.extend(_backfill(client, settings, users, chosen if campus_ids else None))
    plan.probes = quota.calls
    plan.quota_left, plan.hourly_limit, plan.secondly_limit = quota.left()
    return plan


def print_plan(plan: Plan, console: Console | None = None) -> None:
    """Show the plan as a table."""
    console = console or Console(highlight=False)
    table = Table(title="What a run would fetch", title_justify="left", box=None, pad_edge=False)
    for name in ("mode", "resource"):
        table.add_column(name)
    for name in ("rows", "calls"):
        table.add_column(name, justify="right")
    for resource in plan.resources:
        about = "about " if resource.estimated else ""
        table.add_row(
            resource.mode, resource.name, f"{about}{resource.rows:,}", f"{about}{resource.calls:,}"
        )
    console.print(table)
    console.print()
    for mode in ("full", "backfill"):
        console.print(f"{mode}: {_cost(plan, mode)}")
    console.print(
        f"The API has {plan.quota_left:,} of {plan.hourly_limit:,} calls left in this hour, "
        f"{plan.secondly_limit:,} a second; this plan took {plan.probes}."
    )
    console.print("Next: `make sync` does the full pass.")


def _cost(plan: Plan, mode: str) -> str:
    calls = plan.calls(mode)
    if calls:
        minutes = max(1, round(plan.minutes(mode)))
        return f"{calls:,} calls, about {minutes:,} minute{'s'[: minutes != 1]}"
    if any(resource.mode == mode for resource in plan.resources):
        return "nothing is left to read"
    return "known when the students are; ask again after the first full pass"


def _pages(rows: int) -> int:
    return math.ceil(rows / IDS_A_CALL)


def _backfill(
    client: FortyTwoClient, settings: Settings, users: int, campus_ids: Collection[int] | None
) -> list[PlannedResource]:
    """Calls of the relations that are still to be read, from a sample of the students."""
    try:
        connection = database.connect("fortytwo-mirror plan", autocommit=True)
    except MirrorError:
        return []
    try:
        raw = Raw(connection)
        planned = []
        for table in BACKFILLED:
            unread = to_read(connection, raw, table, campus_ids)
            if not raw.students():
                continue
            groups = list(batches(unread))
            # evenly spread and centred: old students have many rows, new ones few
            step = max(1, len(groups) / SAMPLE)
            sample = [groups[int((n + 0.5) * step)] for n in range(min(SAMPLE, len(groups)))]
            totals = [
                client.page(listing.path, listing.params, size=1).total or 0
                for listing in (
                    of_students(TABLES[table], ids, settings.cursus_id) for ids in sample
                )
            ]
            if not sample:
                planned.append(PlannedResource(table, 0, 0, "backfill"))
                continue
            share = len(groups) / len(sample)
            planned.append(
                PlannedResource(
                    table,
                    round(sum(totals) * share),
                    round(sum(max(1, _pages(n)) for n in totals) * share),
                    "backfill",
                    estimated=len(sample) < len(groups),
                )
            )
        return planned
    except psycopg2.Error:
        return []
    finally:
        connection.close()
