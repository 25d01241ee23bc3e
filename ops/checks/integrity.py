"""Is `mirror` whole in itself: tables, keys, references."""

from collections.abc import Iterator

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base.query import execute, exists, scalar
from ops.checks.result import Result, mirror, published_tables

UNIQUE = (("users", "login"), ("users", "email"))

# Keys and references as the database has them, so that a new table is checked without a word here.
CONSTRAINTS = """
select
    child.relname,
    array_agg(own.attname::text order by position.nth) as columns,
    parent.relname,
    array_agg(other.attname::text order by position.nth)
from pg_constraint as con
cross join lateral unnest(con.conkey, con.confkey) with ordinality as position (own, other, nth)
inner join pg_class as child on con.conrelid = child.oid
inner join pg_attribute as own on own.attrelid = child.oid and own.attnum = position.own
left join pg_class as parent on con.confrelid = parent.oid
left join pg_attribute as other on other.attrelid = parent.oid and other.attnum = position.other
where con.connamespace = to_regnamespace('mirror') and con.contype = %s
group by con.oid, child.relname, parent.relname
order by 1, 2
"""


def check_tables(connection: Connection) -> Iterator[Result]:
    """Every table that was ever built is there."""
    tables = published_tables(connection)
    missing = [table for table in tables if not exists(connection, f"mirror.{table}")]
    if not tables or missing:
        what = f"missing: {', '.join(missing)}" if tables else "there are none"
        yield Result("tables_present", "failed", f"{what}; run `make sync`")
    else:
        yield Result("tables_present", "ok", f"all {len(tables)}")


def check_keys(connection: Connection) -> Iterator[Result]:
    """Primary keys are there, filled and unique, counted row by row rather than believed."""
    keys = {table: columns for table, columns, _, _ in execute(connection, CONSTRAINTS, ("p",))}
    for table in published_tables(connection):
        if not exists(connection, f"mirror.{table}"):
            continue
        if table not in keys:
            yield Result("keys." + table, "failed", "the table has no primary key; run `make sync`")
            continue
        columns = sql.SQL(", ").join(sql.Identifier(name) for name in keys[table])
        [(total, empty, distinct)] = execute(
            connection,
            sql.SQL(
                "select count(*), count(*) filter (where num_nulls({0}) > 0), "
                "(select count(*) from (select distinct {0} from {1}) as keys) from {1}"
            ).format(columns, mirror(table)),
        )
        yield Result.of(
            "keys." + table,
            empty == 0 and distinct == total,
            f"{total:,} rows, {empty:,} without a key, {total - distinct:,} repeated",
        )


def check_orphans(connection: Connection) -> Iterator[Result]:
    """No row refers to a parent that is not there, over every foreign key of the catalog."""
    keys = execute(connection, CONSTRAINTS, ("f",))
    yield Result.of(
        "foreign_keys_present",
        bool(keys),
        f"{len(keys)} foreign keys" if keys else "there are none",
    )
    for child, columns, parent, parent_columns in keys:
        match = sql.SQL(" and ").join(
            sql.SQL("child.{} = parent.{}").format(sql.Identifier(own), sql.Identifier(other))
            for own, other in zip(columns, parent_columns, strict=True)
        )
        filled = sql.SQL(" and ").join(
            sql.SQL("child.{} is not null").format(sql.Identifier(name)) for name in columns
        )
        query = sql.SQL(
            "select count(*) from {} as child where {} "
            "and not exists (select from {} as parent where {})"
        )
        orphans = scalar(connection, query.format(mirror(child), filled, mirror(parent), match))
        yield Result.of(
            f"orphans.{child}.{','.join(columns)}",
            orphans == 0,
            f"{orphans:,} rows without their {parent}",
        )


def check_unique(connection: Connection) -> Iterator[Result]:
    """Logins and e-mail addresses belong to one person each."""
    for table, column in UNIQUE:
        if not exists(connection, f"mirror.{table}"):
            continue
        query = sql.SQL("select count({0}) - count(distinct {0}) from {1}")
        repeated = scalar(connection, query.format(sql.Identifier(column), mirror(table)))
        yield Result.of(f"unique.{table}.{column}", repeated == 0, f"{repeated:,} repeated")
