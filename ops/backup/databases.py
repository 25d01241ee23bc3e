"""Whole databases of the mirror's server: made, dropped, renamed; restores need that."""

import csv
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from extract.base import database
from extract.base.errors import MirrorError, MissingDatabase
from extract.base.query import Statement, Values, execute
from extract.tables import ownership

SCRATCH = "A restore or drill of fortytwo-mirror makes and drops it."
STAMP = r"\d{8}t\d{6}"
# the columns differ between versions of PostgreSQL: as JSON they can all be asked for
LIKE = """
    select to_jsonb(entry) from pg_database as entry
    where datname = any(%s) and pg_encoding_to_char(encoding) = 'UTF8'
    order by datname = %s desc limit 1
"""
RIGHTS = """
    select
        pg_get_userbyid(datdba) as owner,
        datacl is not null as has_rights,
        array(
            select array[
                privilege_type,
                case when grantee <> 0 then pg_get_userbyid(grantee)::text end,
                case when is_grantable then 'with grant option' else '' end
            ] from aclexplode(datacl)
        ) as rights,
        array(
            select array[case when setrole <> 0 then pg_get_userbyid(setrole)::text end, setting]
            from pg_db_role_setting, unnest(setconfig) as setting where setdatabase = entry.oid
        ) as settings
    from pg_database as entry where datname = %s
"""
# their values are stored as lists of quoted names
LISTS = ("search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries")


def create(name: str, like: str) -> None:
    """Make an empty database in UTF8, with the locale of another one if that is there."""
    statement = sql.SQL("create database {} template template0 encoding 'UTF8'{}")
    found = administer(LIKE, ([like, "template0"], like))
    locale = _locale(found[0][0]) if found else {"locale_provider": "libc", "locale": "C"}
    options = [
        sql.SQL(" {} {}").format(sql.SQL(option), sql.Literal(value))
        for option, value in locale.items()
    ]
    administer(statement.format(sql.Identifier(name), sql.Composed(options)))


def _locale(entry: dict[str, Any]) -> dict[str, str]:
    """The options of `create database` for the locale of a row of pg_database."""
    provider = {"b": "builtin", "c": "libc", "i": "icu"}[entry["datlocprovider"]]
    options = {
        "locale_provider": provider,
        "lc_collate": entry["datcollate"],
        "lc_ctype": entry["datctype"],
        f"{provider}_locale": entry.get("datlocale") or entry.get("daticulocale"),  # until 16
        "icu_rules": entry.get("daticurules"),
    }
    return {option: value for option, value in options.items() if value}


def mark_scratch(name: str) -> None:
    """Let `drop_leftovers` know that a database is ours to drop."""
    describe(name, SCRATCH)


def describe(name: str, comment: str | None) -> None:
    """Set a database's comment."""
    statement = sql.SQL("comment on database {} is {}")
    administer(statement.format(sql.Identifier(name), sql.Literal(comment)))


def comment_and_limit(name: str) -> tuple[str | None, int]:
    """A database's comment, and how many may connect to it at once."""
    (found,) = administer(
        "select shobj_description(oid, 'pg_database'), datconnlimit from pg_database "
        "where datname = %s",
        (name,),
    )
    return found[0], found[1]


def limit(name: str, connections: int) -> None:
    """Set how many may connect to a database at once."""
    statement = sql.SQL("alter database {} connection limit {}")
    administer(statement.format(sql.Identifier(name), sql.Literal(connections)))


def hand_over(old: str, new: str) -> list[str]:
    """Give a database owner, rights and settings of another; returns what this role may not."""
    (row,) = administer(RIGHTS, (old,))
    refused = []
    with _administration() as connection:
        for statement, for_old in zip(_rights(new, *row), _rights(old, *row), strict=True):
            try:
                execute(connection, statement)
            except psycopg2.errors.InsufficientPrivilege:
                refused.append(f"{for_old.as_string(connection)};")
    return refused


def _rights(
    name: str, owner: str, has_rights: bool, rights: list[list[str]], settings: list[list[str]]
) -> Iterator[sql.Composable]:
    """The statements that give them to a database that was just made."""
    database_name, owner_name = sql.Identifier(name), sql.Identifier(owner)
    yield sql.SQL("alter database {} owner to {}").format(database_name, owner_name)
    if has_rights:
        yield sql.SQL("revoke all on database {} from public, {}").format(database_name, owner_name)
    for privilege, grantee, option in rights:
        yield sql.SQL("grant {} on database {} to {} {}").format(
            sql.SQL(privilege),
            database_name,
            sql.Identifier(grantee) if grantee else sql.SQL("public"),
            sql.SQL(option),
        )
    for role, setting in settings:
        of_role = sql.SQL("role {} in ").format(sql.Identifier(role)) if role else sql.SQL("")
        parameter, _, value = setting.partition("=")
        values = next(csv.reader([value], skipinitialspace=True)) if parameter in LISTS else [value]
        yield sql.SQL("alter {}database {} set {} to {}").format(
            of_role,
            database_name,
            sql.Identifier(*parameter.split(".")),
            sql.SQL(", ").join(map(sql.Literal, values)),
        )


def rename(name: str, other: str) -> None:
    """Rename a database; its sessions end, also those that come back at once."""
    statement = sql.SQL("alter database {} rename to {}")
    _without_sessions(name, statement.format(sql.Identifier(name), sql.Identifier(other)))


def _without_sessions(name: str, statement: sql.Composable) -> None:
    """Run a statement that needs a database in which nobody is."""
    for patience in reversed(range(10)):
        left = _end_sessions(name)
        try:
            administer(statement)
            return
        except psycopg2.errors.ObjectInUse as error:
            if not patience or left:
                why = (
                    f"(this role may not end those of {', '.join(left)})"
                    if left
                    else "faster than they can be sent away"
                )
                raise MirrorError(
                    f"Programs connect to {name} {why}: stop them, then run the command again. "
                    "Nothing was replaced."
                ) from error
            time.sleep(0.1)


def _end_sessions(name: str) -> list[str]:
    """End the sessions in a database; returns the roles whose sessions this role may not end.

    PostgreSQL itself ends autovacuum's processes, which only an administrator may end by name.
    """
    left = set()
    with _administration() as connection:
        execute(connection, "set role none")  # whoever came in as another role ends those of both
        for process_id, role in execute(
            connection,
            "select pid, usename from pg_stat_activity where datname = %s "
            "and usename is not null",  # the kind of process is shown to administrators only
            (name,),
        ):
            try:
                execute(connection, "select pg_terminate_backend(%s)", (process_id,))
            except psycopg2.errors.InsufficientPrivilege:
                left.add(role)
    return sorted(left)


# kinds in PostgreSQL's own words; what is in a materialized view can be made anew
WITH_ROWS = ("table", "foreign table", "sequence")
DEFINITIONS = (
    *("schema", "view", "materialized view", "type", "composite type"),
    *("function", "procedure", "aggregate"),
)
# what goes with something else (a table's index) is not named; what comes with the server, or from
# the template, has a number below 16384
EVERYTHING = """
    select distinct
        object.type, object.identity,
        coalesce(obj_description(id, catalog::regclass::text), '') like '%[fortytwo-mirror]'
    from (
        select 'pg_namespace'::regclass as catalog, oid as id from pg_namespace
        union all select 'pg_largeobject'::regclass, oid from pg_largeobject_metadata
        union all select 'pg_publication'::regclass, oid from pg_publication
        union all select classid, objid from pg_depend
    ) as known
    cross join lateral pg_identify_object(catalog, id, 0) as object
    where (id >= 16384 or catalog = 'pg_largeobject'::regclass)
        and object.identity !~ '^pg_(toast_)?temp_'
        and not exists (
            select from pg_depend
            where classid = catalog and objid = id and objsubid = 0
                and deptype in ('a', 'e', 'i', 'P', 'S')
        )
    order by 1, 2
"""


def everything(connection: Connection) -> list[tuple[str, str]]:
    """Kind and identity of everything in a database that can be dropped by itself."""
    return [(kind, identity) for kind, identity, _ in execute(connection, EVERYTHING)]


def objects(connection: Connection) -> list[tuple[str, str, bool]]:
    """What people would miss of it: name, kind, whether it is ours. Not what extensions brought."""
    ours = set(ownership.names())
    return sorted(
        # functions have no mark: ours are those that a build makes in `ops`
        (name, kind, is_marked or (kind == "function" and name.partition("(")[0] in ours))
        for kind, name, is_marked in execute(connection, EVERYTHING)
        if kind in (*WITH_ROWS, *DEFINITIONS) and name != "public" and not name.startswith("pg_")
    )


def empty(connection: Connection, before: list[tuple[str, str]]) -> None:
    """Drop what a restore has made of a database, wherever in it; what was before stays."""
    for kind, identity in everything(connection):
        if (kind, identity) in before or kind == "default acl":
            continue
        if kind == "large object":
            execute(connection, "select lo_unlink(%s::oid)", (identity,))
            continue
        kind = "type" if kind == "composite type" else kind.replace("-", " ")
        # both are PostgreSQL's own words, names in them quoted (pg_identify_object)
        drop = sql.SQL("drop {} if exists {} cascade")
        execute(connection, drop.format(sql.SQL(kind), sql.SQL(identity)))


def state(name: str) -> tuple[bool, bool]:
    """Whether a database exists, and whether it is empty."""
    try:
        with database.session("restore", name) as connection:
            return True, not objects(connection)
    except MissingDatabase:
        return False, True


@contextmanager
def _administration() -> Iterator[Connection]:
    """A session for what concerns whole databases, in one that it does not concern."""
    try:
        with closing(database.connect_beside("fortytwo-mirror restore")) as connection:
            yield connection
    except psycopg2.errors.InsufficientPrivilege as error:
        raise MirrorError(
            "This role may not create, rename or drop databases on the server. Let an "
            "administrator make an empty database that this role owns, and restore into it: "
            "make restore FILE=… DATABASE=its_name."
        ) from error
    except psycopg2.errors.DiskFull as error:
        raise MirrorError("The database's disk is full. Nothing was replaced.") from error


def administer(statement: Statement, values: Values = None) -> list[tuple[Any, ...]]:
    """Run a statement that concerns whole databases; returns its rows."""
    with _administration() as connection:
        return execute(connection, statement, values)


def drop(name: str) -> None:
    """Drop a database if it is there, whoever uses it."""
    # without force, for which autovacuum at work there is an obstacle
    _without_sessions(name, sql.SQL("drop database if exists {}").format(sql.Identifier(name)))


def drop_leftovers(name: str) -> None:
    """Drop what killed drills and restores of a database have left."""
    found = administer(
        "select datname from pg_database "
        "where starts_with(datname, %s) and substr(datname, length(%s) + 1) ~ %s "
        "and shobj_description(oid, 'pg_database') = %s and pg_has_role(datdba, 'usage') "
        "and not exists (select from pg_stat_activity where datname = pg_database.datname)",
        (name, name, f"^_(drill|restoring|replaced)_{STAMP}$", SCRATCH),
    )
    for (left,) in found:
        drop(left)
