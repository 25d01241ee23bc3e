"""A mirror to back up, and what the tests ask of databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from extract.base import database
from extract.people import kept_out
from ops.backup import postgres
from tests.extract.commands import run
from tests.helpers import api, places, set_variables, sql

# what dbt would have made, and what an analyst would have put on top
PUBLISHED = """
create schema mirror; create schema snapshots; create schema reports; create schema marts;
create table mirror.users as select id, login, campus_id from raw.users;
alter table mirror.users add primary key (id);
create table mirror.cursus_users as select id, user_id, level from raw.cursus_users;
alter table mirror.cursus_users add foreign key (user_id) references mirror.users on delete cascade;
create table snapshots.users_history as select *, now() as dbt_valid_from from mirror.users;
create unlogged table marts.users as select * from mirror.users;
create view reports.students_by_campus as
select campus_id, count(*) as students from mirror.users group by campus_id;
create schema analyst;
create view analyst.mine as select * from mirror.users where campus_id = 1;
insert into ops.runs (run_id, mode, status, published_at, raw_signature)
values ('published', 'full', 'published', now(), '{"raw": 1}');
"""


def extract(address: str, local: Path, name: str) -> None:
    """A full pass of an API into a database, with its files in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        set_variables(patch, {**api(address), **places(local), "PGDATABASE": name})
        assert run("run").exit_code == 0


def keep_out(user: int) -> None:
    """Note that somebody was erased and is to stay out."""
    with database.session("test") as connection, connection.cursor() as cursor:
        kept_out.add(cursor, [user])


def drop(pattern: str) -> None:
    for name in beside(pattern):
        sql(f"drop database {name} with (force)", name="postgres")


def beside(pattern: str) -> list[object]:
    query = f"select datname from pg_database where datname like '{pattern}'"
    return [name for (name,) in sql(query, name="postgres")]


def contents(name: str) -> dict[str, tuple[int, str]]:
    with database.session("test", name) as connection:
        return postgres.checksums(connection)
