"""A changed contract changes the tables of mirror, and what readers made on them lives on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import psycopg2
import pytest

from extract.tables.ownership import names
from tests.helpers import administer
from tests.publication.conftest import Published, copied, drop_database, keep_database
from tests.publication.lab import Lab

# An older mirror: as if the contract had since gained users.phone and users.wallet, widened
# coalitions.score, and promised more about users.kind.
OLDER = """
drop schema reports cascade;
alter table mirror.users drop column phone, drop column wallet;
alter table mirror.users alter column kind drop not null;
alter table mirror.users drop constraint users_login_key;
alter table mirror.projects_users drop constraint projects_users_user_id_fkey;
drop index mirror.projects_users_user_id_idx;
comment on table mirror.users is 'old';
alter table mirror.coalitions alter column score type integer;
create schema consumer;
create role {role} nologin;
grant usage on schema consumer to {role};
create view consumer.logins as select login from mirror.users;
create materialized view consumer.counts as
select campus_id, count(*) as students from mirror.users group by campus_id;
grant select on mirror.users, consumer.logins to {role};
"""


@pytest.fixture(scope="module")
def older(published: Published, server: dict[str, str]) -> Iterator[tuple[Lab, str]]:
    """A lab with that older mirror, and the script that dbt renders for it; not to be changed."""
    role = f"dashboard_{uuid4().hex[:8]}"
    with copied(server, published.lab) as lab:
        lab.run(OLDER.format(role=role))
        script = lab.rendered()
        kept = keep_database(server)
    yield replace(lab, variables={**server, "PGDATABASE": kept}, script=script), role
    drop_database(server, kept)
    administer(server, f"drop role {role}")


@pytest.fixture
def lab(older: tuple[Lab, str], server: dict[str, str]) -> Iterator[Lab]:
    with copied(server, older[0]) as lab:
        yield lab


def test_the_table_follows_the_contract_and_dependants_live_on(
    lab: Lab, older: tuple[Lab, str]
) -> None:
    role = older[1]
    lab.publish()

    assert lab.state() == lab.candidate()
    columns = dict(
        lab.rows("""
            select attrelid::regclass::text || '.' || attname, format_type(atttypid, atttypmod)
            from pg_attribute where attnum > 0 and not attisdropped
                and attrelid in ('mirror.users'::regclass, 'mirror.coalitions'::regclass)
        """)
    )
    assert columns["mirror.users.phone"] == "text"
    assert columns["mirror.users.wallet"] == "bigint"
    assert columns["mirror.coalitions.score"] == "bigint"
    assert lab.value("select count(*) from mirror.users where wallet is null") == 0
    assert lab.value(
        "select attnotnull from pg_attribute "
        "where attrelid = 'mirror.users'::regclass and attname = 'kind'"
    )
    assert lab.value("select obj_description('mirror.users'::regclass)") != "old"
    assert lab.rows("""
        select conname from pg_constraint
        where conname in ('users_login_key', 'projects_users_user_id_fkey') order by 1
    """) == [("projects_users_user_id_fkey",), ("users_login_key",)]
    assert lab.value("select to_regclass('mirror.projects_users_user_id_idx') is not null")

    for relation in ("consumer.logins", "mirror.users"):
        assert lab.value(f"select has_table_privilege('{role}', '{relation}', 'select')"), relation
    lab.run("refresh materialized view consumer.counts")


def test_the_new_columns_are_on_record_as_changes(lab: Lab) -> None:
    lab.publish()

    assert lab.rows("""
        select action, columns, count(*) from ops.changes
        where run_id = (select run_id from ops.runs order by published_at desc limit 1)
        group by action, columns
    """) == [("update", ["wallet"], lab.value("select count(*) from mirror.users"))]


SCORES = """
create view consumer.scores as select id, score from mirror.coalitions;
create materialized view consumer.best as select max(score) as best from consumer.scores;
"""


@pytest.mark.parametrize(
    ("difference", "statements"),
    [
        (
            "alter table mirror.users add column nickname text",
            ["alter table mirror.users drop column nickname;"],
        ),
        (
            "alter table mirror.users alter column correction_point type numeric",
            [
                "alter table mirror.users alter column correction_point type bigint "
                "using correction_point::bigint;"
            ],
        ),
        (
            "alter table mirror.campus_projects drop constraint campus_projects_pkey, "
            "add primary key (project_id, campus_id)",
            [
                "alter table mirror.campus_projects drop constraint campus_projects_pkey cascade, "
                "add primary key (campus_id, project_id);"
            ],
        ),
        (
            "alter table mirror.users add foreign key (id) references mirror.users (id)",
            ["alter table mirror.users drop constraint users_id_fkey;"],
        ),
        (SCORES, ["drop materialized view consumer.best; drop view consumer.scores;"]),
    ],
    ids=["column gone", "narrower", "another key", "foreign key gone", "view"],
)
def test_what_takes_from_readers_is_refused_with_the_statements_to_run(
    lab: Lab, difference: str, statements: list[str]
) -> None:
    lab.run(difference)
    before = lab.state()

    with pytest.raises(psycopg2.Error, match="Nothing was published") as refusal:
        lab.publish()

    assert lab.state() == before
    for statement in statements:
        assert statement in str(refusal.value)
        lab.run(statement)
    lab.publish()
    assert lab.state() == lab.candidate()


@pytest.mark.slow
def test_a_migration_neither_waits_for_ever_nor_holds_readers_up(lab: Lab) -> None:
    reader = lab.connect(autocommit=False)
    with reader.cursor() as cursor:
        cursor.execute("set application_name = 'slow dashboard'")
        cursor.execute("select count(*) from mirror.users")
    script = lab.next_script().replace('"lock_attempts": 60', '"lock_attempts": 3')
    failure: list[str] = []

    def publish() -> None:
        try:
            lab.run(script)
        except psycopg2.Error as error:
            failure.append(str(error))

    thread = threading.Thread(target=publish)
    thread.start()
    slowest, other = 0.0, lab.connect()
    while thread.is_alive():
        started = time.monotonic()
        other.cursor().execute("select count(*) from mirror.users")
        slowest = max(slowest, time.monotonic() - started)
        time.sleep(0.02)
    thread.join()
    reader.close()
    other.close()

    assert "readers keep the tables open" in failure[0] and "slow dashboard" in failure[0]
    assert slowest < 1
    lab.publish()
    assert lab.state() == lab.candidate()


def test_who_keeps_a_table_open_is_named_also_to_a_role_that_may_not_see_since_when(
    lab: Lab, older: tuple[Lab, str]
) -> None:
    role = older[1]
    lab.run(f"grant usage on schema mirror, ops to {role}; grant all on mirror.users to {role}")
    reader, publisher = lab.connect(autocommit=False), lab.connect()
    reader.cursor().execute("select from mirror.users")

    with pytest.raises(psycopg2.Error, match="readers keep the tables open") as refusal:
        publisher.cursor().execute(f"set role {role}; select ops.lock_briefly('mirror.users', 1)")
    process = reader.info.backend_pid
    publisher.close()
    reader.close()

    assert refusal.value.diag.message_detail == f"process {process}"


def test_functions_of_earlier_versions_go_and_those_of_others_stay(lab: Lab) -> None:
    lab.run("""
        create function ops.mass_deletions(tables text[], settings jsonb) returns int return 1;
        create function ops.attnums(relation regclass, names text[]) returns int return 1;
        create function ops.theirs(tables text[]) returns int return 1;
    """)

    lab.dbt("build", "--select", "cursus")

    there = "select 'ops.' || proname from pg_proc where pronamespace = 'ops'::regnamespace"
    assert {name for (name,) in lab.rows(there)} - set(names()) == {"ops.theirs"}
