"""What `ops` knows about the past, as the status page needs it. Counts and times, no people."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from psycopg2.extensions import connection as Connection

from extract.base import database
from extract.base.query import execute, records
from extract.tables import READS

Row = dict[str, Any]

RUNS = """
select run_id, mode, status, started_at, finished_at, published_at, calls, seconds, changes,
    rejected, message,
    extract(epoch from finished_at - started_at) as duration
from ops.runs order by started_at desc limit 30
"""
# The last publication of each day, or each publication while there are only a few.
ROWS = """
with publications as (
    select published_at, rows,
        count(*) over () <= 40 as few,
        row_number() over (
            partition by date_trunc('day', published_at) order by published_at desc
        ) as nth
    from ops.runs
    where published_at > now() - interval '90 days' and rows is not null
)
select published_at as at, rows from publications where few or nth = 1 order by published_at
"""
# The first fill of a table is left out: beside it every other day would look empty.
CHANGES = """
select
    to_char(date_trunc('day', runs.published_at), 'YYYY-MM-DD') as day,
    changed.key as table_name,
    sum((changed.value ->> 'inserted')::bigint)::bigint as inserted,
    sum((changed.value ->> 'updated')::bigint)::bigint as updated,
    sum((changed.value ->> 'deleted')::bigint)::bigint as deleted
from ops.runs
cross join lateral jsonb_each(runs.changes) as changed
where
    runs.published_at > date_trunc('day', now()) - interval '29 days'
    and (changed.value ->> 'inserted')::bigint
    is distinct from nullif((runs.rows ->> changed.key)::bigint, 0)
group by 1, 2
having sum((changed.value ->> 'inserted')::bigint + (changed.value ->> 'updated')::bigint
    + (changed.value ->> 'deleted')::bigint) > 0
order by 1, 2
"""
CALLS = """
select
    date_trunc('hour', called_at) as hour,
    case
        when error = '' then 'answered'
        when status = 429 then 'over the limit (429)'
        else 'failed, tried again'
    end as outcome,
    count(*) as calls
from ops.api_calls
where called_at > date_trunc('hour', now()) - interval '47 hours'
group by 1, 2 order by 1, 2
"""
PHASES = """
with recent as (
    select run_id, mode, started_at, seconds,
        row_number() over (partition by mode order by started_at desc) as nth
    from ops.runs
    where seconds is not null and seconds <> '{}' and status in ('published', 'unchanged', 'loaded',
        'stopped')
)
select recent.run_id, recent.mode, recent.started_at, phase.key as phase,
    phase.value::text::double precision as seconds
from recent cross join lateral jsonb_each(recent.seconds) as phase
where recent.nth <= 30
order by recent.started_at, phase.key
"""
BACKFILL = """
select resource, count(*) as parents, count(*) filter (where stale) as stale,
    min(checked_at) as oldest, max(checked_at) as newest
from ops.{} group by resource order by resource
"""
DRIFT = "select resource, field, kind, first_seen_at from ops.drift order by first_seen_at desc"


QUERIES = {
    "runs": ("ops.runs", RUNS),
    "rows": ("ops.runs", ROWS),
    "changes": ("ops.runs", CHANGES),
    "calls": ("ops.api_calls", CALLS),
    "phases": ("ops.runs", PHASES),
    "drift": ("ops.drift", DRIFT),
}


@dataclass(frozen=True)
class History:
    """One reading of `ops`. Lists of rows as the queries above name their columns."""

    read_at: datetime
    runs: Sequence[Row] = ()
    rows: Sequence[Row] = ()
    changes: Sequence[Row] = ()
    calls: Sequence[Row] = ()
    phases: Sequence[Row] = ()
    drift: Sequence[Row] = ()
    backfill: Sequence[Row] = ()

    @property
    def rows_now(self) -> dict[str, int]:
        """Rows of each mirror table after the last publication, the largest first."""
        rows = self.rows[-1]["rows"] if self.rows else {}
        return dict(sorted(rows.items(), key=lambda item: (-item[1], item[0])))


def read_history(connection: Connection) -> History:
    """Read `ops`; what a younger schema has and this database lacks counts as empty."""
    found = {
        name: records(connection, query, needs=table) for name, (table, query) in QUERIES.items()
    }
    backfill = [
        records(connection, BACKFILL.format(reads), needs=f"ops.{reads}") for reads in READS
    ]
    return History(datetime.now(UTC), **found, backfill=list(chain.from_iterable(backfill)))


@contextmanager
def connected(page: str, patience: str = "3s") -> Iterator[Connection]:
    """A connection for a page, none of whose questions may take longer than `patience`.

    Raises:
        MirrorError, psycopg2.Error: The database does not answer.
    """
    with database.session(page) as connection:
        execute(connection, "select set_config('statement_timeout', %s, false)", (patience,))
        yield connection
