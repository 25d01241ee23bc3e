"""What a run would cost: calls per resource, the quota's state, the expected minutes."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from psycopg2.extensions import connection as Connection
from rich.console import Console
from rich.table import Column
from rich.table import Table as Printed

from extract.api.client import FortyTwoClient
from extract.api.quota import Quota, seconds_left
from extract.base import database
from extract.base.errors import ApiError
from extract.base.settings import Settings
from extract.listing.listing import (
    Listing,
    batches_of_parents,
    join,
    of_parents,
    still_open,
    whole,
)
from extract.load.context import REFUSALS
from extract.load.raw import Raw
from extract.load.record import last_pass, refused_tables
from extract.passes.backfill import to_read
from extract.tables import TABLES, Row, Table, backfilled, streams_on

# most calls of a plan; what they leave unknown is estimated
MOST_PROBES = 12
# what our own work on a page takes, whatever the API lets through (the sandbox: everything)
SECONDS_OF_A_PAGE = 0.02


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
    seconds_a_call: float = 0.5

    def calls(self, mode: str) -> int:
        """Calls of a mode."""
        return sum(resource.calls for resource in self.resources if resource.mode == mode)

    def minutes(self, mode: str) -> float:
        """Expected minutes at the API's limits, from now; waiting for the hour included."""
        left, limit = self.quota_left, self.hourly_limit
        pace = max(self.seconds_a_call, SECONDS_OF_A_PAGE)
        return seconds_left(self.calls(mode), pace, left, limit) / 60


def make_plan(
    campus_ids: Collection[int] | None = None, report: Callable[[str], None] = lambda sentence: None
) -> Plan:
    """Add up what the last pass took, and ask the API how long the other lists are.

    Args:
        campus_ids: Only the people of these campuses; None for everything.
        report: Told what is being asked.

    Raises:
        MirrorError: The API cannot be reached or refuses the credentials.
    """
    settings = Settings.load()
    quota = Quota(settings.application, max_wait=60.0)
    planner = _Planner(FortyTwoClient(settings, quota), settings.cursus_id, campus_ids, report)
    with database.session("plan") as connection:
        planner.refused |= refused_tables(connection)
        resources = list(planner.full({} if campus_ids else last_pass(connection, "full")))
        resources += planner.backfill(Raw(connection), connection)
    left, hourly, secondly = quota.left()
    return Plan(resources, quota.calls, left, hourly, secondly, quota.seconds_between_calls())


def print_plan(plan: Plan, console: Console) -> None:
    """Show the plan as a table."""
    figures = (Column(name, justify="right") for name in ("rows", "calls"))
    table = Printed("mode", "resource", *figures, box=None, pad_edge=False)
    table.title, table.title_justify = "What a run would fetch", "left"
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


class _Planner:
    """Answers from what is known, then from the API, in few calls.

    Attributes:
        refused: Tables that the application may not read: a run does without them.
    """

    def __init__(
        self,
        client: FortyTwoClient,
        cursus_id: int,
        campus_ids: Collection[int] | None,
        report: Callable[[str], None],
    ) -> None:
        self._client, self._cursus_id = client, cursus_id
        self._campus_ids, self._report = campus_ids, report
        self._streams = streams_on()
        self.refused: set[str] = set()

    def full(self, known: Mapping[str, tuple[int, int]]) -> Iterator[PlannedResource]:
        """The full pass: as the last one was, with the students counted anew.

        Args:
            known: Rows and calls of the last pass, by table.
        """
        students = 0
        for table in TABLES.values():
            wanted = table.stream in self._streams and (self._campus_ids is None or table.person)
            if not table.full or not wanted:
                continue
            rows, calls = known.get(table.name, (0, 0))
            estimated = False
            if table.full == "students":
                students = rows = self._students(table)
                estimated = not calls
                calls = max(calls, table.pages(rows)) if calls else self._by_campus(table, rows)
            elif table.full == "by students":
                rows, calls = students, table.pages(students)
            elif table.full == "by campus" and not calls:
                calls = self._campuses_asked(table)
                estimated = True
            elif not calls:
                listing = still_open if table.full == "open rows" else whole
                rows = self._rows(listing(table, self._cursus_id))
                calls = 0 if table.name in self.refused else max(1, table.pages(rows))
            yield PlannedResource(table.name, rows, calls, "full", estimated)

    def backfill(self, raw: Raw, connection: Connection) -> Iterator[PlannedResource]:
        """The relations that are still to be read, from a sample of the students."""
        names = backfilled(self._streams) if raw.students() else []
        # one probe for each, and what is left for those with the most rows
        left = max(0, MOST_PROBES - self._client.quota.calls - len(names))
        all_rows = sum(TABLES[name].rows_a_student for name in names)
        for name in names:
            most = 1 + math.floor(left * TABLES[name].rows_a_student / all_rows)
            students = to_read(connection, raw, name, self._streams, self._campus_ids)
            groups = list(batches_of_parents(TABLES[name], students))
            # evenly spread and centred: old students have many rows, new ones few
            step = max(1, len(groups) / most)
            sample = [groups[int((n + 0.5) * step)] for n in range(min(most, len(groups)))]
            rows = [self._rows(of_parents(TABLES[name], ids, self._cursus_id)) for ids in sample]
            share = 0 if name in self.refused else len(groups) / max(1, len(sample))
            calls = sum(max(1, TABLES[name].pages(count)) for count in rows) * share
            estimated = len(sample) < len(groups)
            yield PlannedResource(
                name, round(sum(rows) * share), round(calls), "backfill", estimated
            )

    def _rows(self, listing: Listing) -> int:
        if listing.table in self.refused:
            return 0
        self._report(f"asking how long the list of {listing.table} is ({listing.key})")
        try:
            page = self._client.page(listing.path, listing.params, size=1)
        except ApiError as error:
            if TABLES[listing.table].essential or error.status not in REFUSALS:
                raise
            self._report(f"the API answers {error.status}: the application may not read it")
            self.refused.add(listing.table)
            return 0
        return page.total if page.total is not None else len(page.rows)

    def _students(self, table: Table) -> int:
        listing = whole(table, self._cursus_id)
        if self._campus_ids is not None:
            only = {table.campus_filter: join(self._campus_ids)}
            listing = replace(listing, params={**listing.params, **only})
        return self._rows(listing)

    def _by_campus(self, table: Table, students: int) -> int:
        """Each campus is asked for its students, who are as many as its accounts suggest."""
        accounts = [
            campus["users_count"]
            for campus in self._campuses
            if self._campus_ids is None or campus["id"] in self._campus_ids
        ]
        total = max(1, sum(accounts))
        return sum(max(1, table.pages(round(students * count / total))) for count in accounts)

    def _campuses_asked(self, table: Table) -> int:
        count = Counter(campus["name"] for campus in self._campuses)
        return sum(table.campuses == "every" or count[c["name"]] > 1 for c in self._campuses)

    @cached_property
    def _campuses(self) -> list[Row]:
        self._report("asking for the campuses")
        campus = TABLES["campus"]
        return self._client.page(campus.path, campus.params).rows
