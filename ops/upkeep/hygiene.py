"""The database's health over the years: statistics, autovacuum, bloat, what nobody uses any more.

`tune` and `analyze_changed` are called by a sync and write only where something is to be changed;
`report` only looks, for `make check`.
"""

from collections.abc import Iterator

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base.query import execute
from extract.tables import READS
from extract.tables.ownership import names, undeclared_tables

# PostgreSQL's own 20 % of two million rows is a vacuum every 400,000 dead ones; most passes change
# a few thousand. In a small table the settings change nothing: the threshold of 1,000 rows decides.
BIG = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_analyze_scale_factor": "0.02",
    "autovacuum_analyze_threshold": "1000",
    "autovacuum_vacuum_insert_scale_factor": "0.05",
}
# rows come and go by the day, or are all touched: room for the new version beside the old one
CHURNING = BIG | {"fillfactor": "80"}
HOT: dict[str, dict[str, str]] = {
    **{name: BIG for name in names() if name.startswith(("raw.", "mirror.", "snapshots."))},
    **{f"ops.{reads}": CHURNING for reads in READS},
    "ops.rejections": BIG,
    "ops.api_calls": BIG,
}
CHANGED_SHARE = 0.1
LEAST_CHANGED = 1000


def tune(connection: Connection) -> list[str]:
    """Give the hot tables their autovacuum settings; returns the tables that lacked them.

    An operator's own value of a setting stays. Takes no lock that a reader or writer waits for.
    """
    changed = []
    query = (
        "select coalesce(reloptions, '{}') from pg_class "
        "where oid = to_regclass(%s) and relkind = 'r' and pg_has_role(relowner, 'usage')"
    )
    for name, settings in HOT.items():
        for (reloptions,) in execute(connection, query, (name,)):
            there = {option.partition("=")[0] for option in reloptions}
            missing = {key: value for key, value in settings.items() if key not in there}
            options = sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(key), sql.SQL(value))
                for key, value in missing.items()
            )
            if missing:
                alter = sql.SQL("alter table {} set ({})")
                execute(connection, alter.format(_table(name), options))
                changed.append(name)
    return changed


def analyze_changed(connection: Connection) -> list[str]:
    """Bring statistics up to date where a load has changed a tenth of a table.

    Autovacuum would come a minute later; the build that follows a load plans with these now.
    """
    found = execute(
        connection,
        "select schemaname || '.' || relname from pg_stat_user_tables "
        "where schemaname = 'raw' and n_mod_since_analyze > greatest(%s, %s * n_live_tup) "
        "order by 1",
        (LEAST_CHANGED, CHANGED_SHARE),
    )
    for (table,) in found:
        execute(connection, sql.SQL("analyze {}").format(_table(table)))
    return [table for (table,) in found]


def report(connection: Connection, least_bytes: int = 10_000_000) -> list[str]:
    """What could be better, and what to do; none of it makes the mirror wrong.

    Args:
        connection: To the mirror's database.
        least_bytes: Smaller waste is not worth a word.
    """
    return [
        *(
            f"{name}: this version has no such table: nothing renews its rows, `make erase` does "
            f"not look there. If nobody needs it: `drop table {name}`"
            for name in undeclared_tables(connection)
        ),
        *_bloat(connection, least_bytes),
        *_unused_indexes(connection, least_bytes),
        *_transaction_ids(connection),
    ]


BLOAT = """
with widths as (
    select schemaname, tablename, sum(avg_width * (1 - null_frac)) as width, count(*) as columns
    from pg_stats
    where schemaname = any(%(schemas)s)
    group by schemaname, tablename
),
tables as (
    select
        widths.schemaname || '.' || widths.tablename as name,
        pg_relation_size(tables.oid) as bytes,
        -- a tuple's header, its line pointer, its null map, and padding
        (
            tables.reltuples * (28 + ceil(widths.columns / 8.0) + widths.width * 1.1)
            / (coalesce(
                (select option_value::int from pg_options_to_table(tables.reloptions)
                where option_name = 'fillfactor'), 100
            ) / 100.0)
        )::bigint as needed,
        coalesce(stats.n_dead_tup, 0) as dead,
        coalesce(stats.n_live_tup, 0) as live
    from widths
    inner join pg_class as tables
        on to_regclass(quote_ident(schemaname) || '.' || quote_ident(tablename)) = tables.oid
    left join pg_stat_user_tables as stats on tables.oid = stats.relid
    where tables.relkind = 'r' and tables.reltuples > 0
)
select name, bytes, bytes - needed as wasted, dead, live
from tables
where bytes - needed > greatest(%(least)s, bytes / 2)
order by wasted desc
"""


def _bloat(connection: Connection, least_bytes: int) -> list[str]:
    values = {"schemas": ["raw", "mirror", "snapshots", "ops"], "least": least_bytes}
    return [
        f"{name}: about {wasted / 1e6:,.0f} of its {size / 1e6:,.0f} MB are empty ({dead:,} dead "
        f"rows beside {live:,}): `vacuum full {name}` gives them back, while nobody can read it"
        for name, size, wasted, dead, live in execute(connection, BLOAT, values)
    ]


# statistics of less than 30 days prove nothing; the index of a foreign key serves deletions
UNUSED = """
select
    schemaname || '.' || indexrelname as name,
    schemaname || '.' || relname as table_name,
    pg_relation_size(stats.indexrelid) as bytes
from pg_stat_user_indexes as stats
inner join pg_index on stats.indexrelid = pg_index.indexrelid
where
    idx_scan = 0
    and not indisunique and not indisprimary
    and pg_relation_size(stats.indexrelid) > %(least)s
    and schemaname in ('raw', 'mirror', 'snapshots', 'ops')
    and (
        select coalesce(stats_reset, pg_postmaster_start_time())
        from pg_stat_database where datname = current_database()
    ) < now() - interval '30 days'
    and not exists (
        select from pg_constraint
        where contype = 'f' and conrelid = pg_index.indrelid and conkey[1] = pg_index.indkey[0]
    )
order by bytes desc
"""


def _unused_indexes(connection: Connection, least_bytes: int) -> list[str]:
    return [
        f"{name}: {size / 1e6:,.0f} MB on {table}, and no query has used it for 30 days: if it is "
        f"yours, `drop index {name}`"
        for name, table, size in execute(connection, UNUSED, {"least": least_bytes})
    ]


def _transaction_ids(connection: Connection) -> Iterator[str]:
    query = (
        "select datname, age(datfrozenxid), current_setting('autovacuum') from pg_database "
        "where datname = current_database()"
    )
    for name, age, autovacuum in execute(connection, query):
        if age > 1_000_000_000:
            yield (
                f"{name}: the oldest is {age:,} transactions old and the server stops at 2.1 "
                "billion: `vacuum freeze`, and look for a transaction or slot that was left open"
            )
        if autovacuum != "on":
            yield f"{name}: autovacuum is off on this server: turn it on"


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))
