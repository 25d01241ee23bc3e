"""Does `mirror` agree with `raw` and with the record in `ops`: counts, freshness, last run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from ops.checks.result import TABLES, Result, exists, mirror, rows, value

# Where the API's list of each table can be counted. Nested lists are counted by their views.
LISTED = {
    "cursus": "raw.cursus",
    "campuses": "raw.campus",
    "projects": "raw.projects",
    "achievements": "raw.achievements",
    "coalitions": "raw.coalitions",
    "campus_projects": "staging.stg_fortytwo__project_campuses",
    "campus_achievements": "intermediate.int_campus_achievements__resolved",
    "project_sessions": "staging.stg_fortytwo__project_sessions",
    "users": "raw.users",
    "cursus_users": "raw.cursus_users",
    "projects_users": "raw.projects_users",
    "achievements_users": "raw.achievements_users",
    "coalitions_users": "raw.coalitions_users",
}
# A campus name that leads to no campus is on record, but is no pair that could be published.
NO_PAIR = "not (table_name = 'campus_achievements' and not key ? 'campus_id')"
RUN_LOCK = """
select exists (
    select from pg_locks
    where locktype = 'advisory' and classid = 42 and objid = 21 and objsubid = 2 and granted
        and database = (select oid from pg_database where datname = current_database())
)
"""


def check_reconciliation(connection: Connection) -> Iterator[Result]:
    """Listed by the API, less what a rule left out, is what is published."""
    at_work = bool(value(connection, RUN_LOCK))
    rejected = dict(
        rows(
            connection,
            "select table_name, count(*) from ops.rejections "
            f"where gone_at is null and {NO_PAIR} group by table_name",
        )
    )
    for table, listed_in in LISTED.items():
        name = f"reconciles.{table}"
        if not (exists(connection, f"mirror.{table}") and exists(connection, listed_in)):
            yield Result(name, "skipped", f"mirror.{table} or {listed_in} is not there")
            continue
        listed = value(
            connection,
            sql.SQL("select count(*) from {}").format(sql.Identifier(*listed_in.split("."))),
        )
        published = value(connection, sql.SQL("select count(*) from {}").format(mirror(table)))
        left_out = rejected.get(table, 0)
        detail = f"{listed:,} listed - {left_out:,} left out = {listed - left_out:,}"
        if listed - left_out == published:
            yield Result(name, "ok", detail)
        elif at_work:
            yield Result(name, "skipped", f"{detail}, {published:,} published: a run is at work")
        else:
            yield Result(
                name,
                "failed",
                f"{detail}, but {published:,} are published; `dbt build` publishes what raw has",
            )


def check_freshness(connection: Connection, hours: float, now: datetime) -> Iterator[Result]:
    """The mirror was brought up to date, or found to be so, within the limit."""
    latest = value(
        connection,
        "select greatest(max(published_at), max(finished_at) filter (where status = 'unchanged')) "
        "from ops.runs",
    )
    if latest is None:
        yield Result("freshness", "failed", "nothing was ever published; run `make sync`")
        return
    age = (now - latest.astimezone(UTC)).total_seconds() / 3600
    yield Result.of(
        "freshness", age <= hours, f"{age:.1f} h since the last sync, limit {hours:g} h"
    )


def check_row_counts(connection: Connection, max_delete_fraction: float) -> Iterator[Result]:
    """Tables hold what their publication counted, and no table shrank unasked since the one before.

    A person's erasure removes rows between publications, so fewer rows than counted are right then.
    """
    runs = rows(
        connection,
        "select rows, published_at, allow_deletes from ops.runs "
        "where published_at is not null and rows is not null order by published_at desc limit 2",
    )
    if not runs:
        yield Result("row_counts", "skipped", "nothing was published yet")
        return
    counted, published_at, deletes_allowed = runs[0]
    before = runs[1][0] if len(runs) > 1 else {}
    erased = value(
        connection,
        "select exists (select from ops.runs where mode = 'erase' and started_at > %s)",
        (published_at,),
    )
    for table in TABLES:
        if table not in counted or not exists(connection, f"mirror.{table}"):
            continue
        count = value(connection, sql.SQL("select count(*) from {}").format(mirror(table)))
        name, previous = f"row_counts.{table}", before.get(table)
        change = "" if previous is None else f", {count - previous:+,} since the publication before"
        if count != counted[table] and not (erased and count < counted[table]):
            yield Result(
                name,
                "failed",
                f"{count:,} rows, but the publication counted {counted[table]:,}: somebody wrote "
                "to mirror by hand; the next `dbt build` puts it right",
            )
        elif (
            previous is not None
            and not deletes_allowed
            and previous - count >= 20
            and previous - count > previous * max_delete_fraction
        ):
            yield Result(
                name,
                "failed",
                f"{count:,} rows{change}: more than {max_delete_fraction:.0%}; see ops.changes",
            )
        else:
            yield Result(name, "ok", f"{count:,} rows{change}")
