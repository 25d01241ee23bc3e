"""What the extraction asks the schema `raw` about, and the scope of what a load may delete."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base.query import Values, execute, exists, scalar
from extract.tables import INDEXES, READS, STUDENT_KIND, TABLES, Table
from extract.tables.table import day_of, window_of_days

# so far ahead people sign up for what is read by days; what is later comes once it changes
DAYS_AHEAD = 15
DELETIONS = "record_deleted_rows"  # the trigger


def of_reads(table: str, query: str) -> sql.Composed:
    """A query over the record of whose rows of a table were read: `{reads}`, `{parent}`."""
    declared = TABLES[table]
    return sql.SQL(query).format(
        reads=sql.Identifier("ops", declared.reads), parent=sql.Identifier(declared.parent)
    )


BEHIND = """
    with moved as (
        select max(started_at) as started_at from ops.runs
        where mode = any(%(modes)s) and seconds ? 'load' and (degraded ? %(table)s) is not true
    )
    select moved.started_at - min(listings.finished_at)
    from moved, ops.listings inner join ops.runs using (run_id)
    where listings.resource = %(table)s and runs.started_at >= moved.started_at
        and listings.finished_at < moved.started_at
    group by moved.started_at
"""


class Raw:
    """Questions to the tables that earlier runs loaded; a missing table counts as empty.

    Args:
        connection: In autocommit mode.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def tables(self) -> set[str]:
        """The tables that are there now."""
        query = "select tablename from pg_tables where schemaname = 'raw'"
        return {name for (name,) in execute(self._connection, query)} & TABLES.keys()

    def _rows(
        self, table: str, query: str, *columns: str, values: Values = None
    ) -> list[tuple[Any, ...]]:
        """The rows of a query over a table, `{0}`, and columns of it, `{1}` and so on."""
        if table not in self.tables:
            return []
        names = sql.Identifier("raw", table), *map(sql.Identifier, columns)
        return execute(self._connection, sql.SQL(query).format(*names), values)

    def _ids(self, table: str, query: str, *columns: str, values: Values = None) -> list[int]:
        rows = self._rows(table, query, *columns, values=values)
        return [key for (key,) in rows if key is not None]

    def keys(self, table: str, values: Collection[int] | None = None, column: str = "") -> set[int]:
        """Ids of the rows of a table; of those with some values of a column or of its scope."""
        key, scope = TABLES[table].primary_key[-1], column or TABLES[table].scope
        if values is None:
            return set(self._ids(table, "select {1} from {0}", key))
        query = "select {1} from {0} where {2} = any(%s)"
        return set(self._ids(table, query, key, scope, values=(list(values),)))

    def scope_values(self, table: str) -> set[int]:
        """Every value of the table's scope column: the scope of a complete pass."""
        return set(self._ids(table, "select distinct {1} from {0}", TABLES[table].scope))

    def campus_of_users(self) -> dict[int, int]:
        """The primary campus of every user in raw."""
        return dict(self._rows("users", "select id, campus_id from {0}"))

    def students(self, campus_ids: Collection[int] | None = None) -> list[int]:
        """Ids of the students whose relations are mirrored, the newest first."""
        query = "select id from {0} where kind = %s and alumni is not true"
        if campus_ids is None:
            return self._ids("users", query + " order by id desc", values=(STUDENT_KIND,))
        chosen = query + " and campus_id = any(%s) order by id desc"
        return self._ids("users", chosen, values=(STUDENT_KIND, list(campus_ids)))

    def parents(self, table: Table, campus_ids: Collection[int] | None = None) -> list[int]:
        """Whose rows of a table are mirrored, the newest first: students, all events, or days."""
        if table.parents == "users":
            return self.students(campus_ids)
        if table.parents == "days" and not campus_ids:
            oldest, today = day_of(table.kept_from()), day_of(self.newest_update("users"))
            if oldest is None or today is None:
                return []
            # a booking further ahead came with a live pass, and its cancellation says nothing
            query = "select distinct {1} from {0} where {1} > %s order by {1} desc"
            further = self._ids(table.name, query, table.scope, values=(today + DAYS_AHEAD,))
            return [*further, *range(today + DAYS_AHEAD, oldest - 1, -1)]
        # of some campuses only the people are read
        return [] if campus_ids else sorted(self.keys(table.parents), reverse=True)

    def open_parents(self, table: Table, moment: datetime) -> Collection[int]:
        """Whose rows come and go without a word: of what was not over yet at a moment."""
        if table.parents == "days":
            first = day_of(moment) or 0
            return [day for day in self.parents(table) if day >= first]
        if not table.open_until:
            return []
        query = "select id from {0} where {1} >= %s or {1} is null"
        return set(self._ids(table.parents, query, table.open_until, values=(moment,)))

    def newest_update(self, table: str) -> datetime | None:
        """The latest `updated_at` of a table, but for those of a time to come."""
        query = "select max(updated_at) from {0} where updated_at <= now()"
        rows: list[tuple[datetime | None]] = self._rows(table, query)
        return rows[0][0] if rows else None

    def newest(self, table: str, column: str) -> Any:
        """The largest value of a column of a table, a time or a number; None without a row."""
        rows = self._rows(table, "select max({1}) from {0}", column)
        return rows[0][0] if rows else None

    def length_of_users_pass(self) -> timedelta:
        """Time from the oldest listing of a campus' users that raw has to the newest one.

        A pass of some campuses leaves the others as the pass before it read them.
        """
        length: timedelta | None = scalar(
            self._connection,
            "with campuses as (select * from ops.listings where resource = 'users' "
            "and listing in (select 'campus ' || id from raw.campus)), "
            "loaded as (select max(campuses.finished_at) as finished_at from campuses "
            "inner join ops.runs using (run_id) where seconds ? 'load' group by listing) "
            "select (select max(finished_at) from campuses) - min(finished_at) from loaded",
        )
        return length or timedelta()

    def behind(self, table: str) -> timedelta:
        """How long before its cursor last moved rows of a table were read that were loaded since.

        An interrupted run had cached them, and what the cursor has passed was newer.
        """
        # what opens and closes is read by ranges in each of these passes
        modes = ["live", "full", "campuses"] if TABLES[table].open_rows else ["live"]
        values = {"modes": modes, "table": table}
        length: timedelta | None = scalar(self._connection, BEHIND, values)
        return length or timedelta()

    def first_relation_read(self, table: str) -> datetime | None:
        """When the backfill first read rows of a relation table."""
        query = of_reads(table, "select min(read_at) from {reads} where resource = %s")
        moment: datetime | None = scalar(self._connection, query, (table,))
        return moment

    def parents_read(self, table: str) -> int:
        """Of how many users, or other parents, the rows were read."""
        query = of_reads(table, "select count(*) from {reads} where resource = %s")
        return int(scalar(self._connection, query, (table,)))

    def rows_of_parents(self, table: str, ids: Sequence[int]) -> int:
        """How many rows of a relation table the listing of these parents has (`of_parents`)."""
        declared = TABLES[table]
        if declared.parents == "days":
            query = "select count(*) from {0} where {1} between %s and %s"
            return sum(self._ids(table, query, declared.kept_by, values=window_of_days(ids)))
        query = "select count(*) from {0} where {1} = any(%s)"
        return sum(self._ids(table, query, declared.parent, values=(list(ids),)))

    def row_count(self, table: str) -> int:
        """Rows of a table."""
        return sum(self._ids(table, "select count(*) from {0}"))

    def open_ids(self, table: str) -> list[int]:
        """Ids of the rows that are open, those that are so for the longest time first."""
        declared = TABLES[table]
        query = "select id from {0} where {1} is null order by {2}, id"
        return self._ids(table, query, declared.open_column, declared.kept_by)

    def delete_old(self, run_id: str) -> None:
        """Delete what its stream keeps no longer, whether the stream is on or off.

        So goes what has no time: no reading of days asks for it, and nothing says when it is old.
        From `mirror` too: growing old is no loss that a publication's guard should ask about.
        """
        for declared in TABLES.values():
            oldest = declared.kept_from()
            if not oldest:
                continue
            old = sql.SQL("{0} < {1} or {0} is null").format(
                sql.Identifier(declared.kept_by), sql.Literal(oldest)
            )
            if declared.name in self.tables:
                name = sql.Identifier("raw", declared.name)
                execute(self._connection, sql.SQL("delete from {} where {}").format(name, old))
            published = f"mirror.{declared.mirror}"
            if exists(self._connection, published):
                delete = "select ops.delete_on_record(%s, %s, %s)"
                values = published, old.as_string(self._connection), run_id
                execute(self._connection, delete, values)
            if declared.parents == "days":
                forget = "delete from {reads} where resource = %s and {parent} < %s"
                forgotten = declared.name, day_of(oldest)
                execute(self._connection, of_reads(declared.name, forget), forgotten)

    def set_scope(self, scope: dict[str, Collection[int]]) -> None:
        """Say what the coming load may delete (see `delete_scope_condition`)."""
        execute(self._connection, "truncate ops.delete_scope")
        for table, values in scope.items():
            execute(
                self._connection,
                "insert into ops.delete_scope select %s, %s, unnest(%s::bigint[])",
                (table, TABLES[table].scope, list(values)),
            )

    def create_indexes(self) -> None:
        """Indexes for the loads' merges and deletes, and for questions by user."""
        there = self.tables
        create = sql.SQL("create index if not exists {} on raw.{} ({})")
        for name, (table, columns) in INDEXES.items():
            if table in there:
                listed = sql.SQL(", ").join(map(sql.Identifier, columns))
                statement = create.format(sql.Identifier(name), sql.Identifier(table), listed)
                execute(self._connection, statement)

    def record_deletions(self) -> None:
        """Have PostgreSQL record the keys of deleted rows, which a copy in files goes by."""
        there = self.tables
        keys = {("raw", name): TABLES[name].primary_key for name in there}
        keys |= {("ops", name): ("resource", parent) for name, parent in READS.items()}
        recorded = set(
            execute(
                self._connection,
                "select relnamespace::regnamespace::text, relname from pg_trigger "
                "inner join pg_class on tgrelid = pg_class.oid where tgname = %s",
                (DELETIONS,),
            )
        )
        for name in sorted(keys.keys() - recorded):
            create = sql.SQL(
                "create trigger {} after delete on {} referencing old table as deleted "
                "for each statement execute function ops.record_deleted_rows({})"
            ).format(
                sql.Identifier(DELETIONS),
                sql.Identifier(*name),
                sql.SQL(", ").join(map(sql.Literal, keys[name])),
            )
            execute(self._connection, create)

    def delete_orphaned_relations(self, *, without_parent: bool = False) -> None:
        """Delete relation rows whose user, or other parent, is not in raw any more.

        Args:
            without_parent: Those that name none, instead: a pass begins so, that the build behind
                it rejects by name what the API still lists so.
        """
        there = self.tables
        of_parents = {
            (schema, name, table.parents, table.parent)
            for table in TABLES.values()
            if table.relation and table.name in there
            for schema, name in (("raw", table.name), ("ops", table.reads))
        }
        delete = sql.SQL(
            "delete from {0} as relation where (relation.{2} is null) = %s and not exists "
            "(select from raw.{1} as parents where parents.id = relation.{2})"
        )
        for schema, name, parents, scope in of_parents:
            relation, column = sql.Identifier(schema, name), sql.Identifier(scope)
            delete_theirs = delete.format(relation, sql.Identifier(parents), column)
            execute(self._connection, delete_theirs, (without_parent,))

    def signature(self) -> dict[str, list[object]]:
        """What moves whenever a row of raw does: per table its row count and newest load."""
        query = "select count(*), max(_dlt_load_id) from {0}"
        return {table: list(*self._rows(table, query)) for table in sorted(self.tables)}


def delete_scope_condition(table: str) -> str:
    """The SQL condition that keeps a load from deleting what its listings did not cover.

    One text for every load, so that dlt's stored schema stays the same.
    """
    return (
        f"{TABLES[table].scope} in (select key from ops.delete_scope "
        f"where delete_scope.resource = '{table}')"
    )
