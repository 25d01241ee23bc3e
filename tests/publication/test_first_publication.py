"""The first publication: an empty mirror without foreign keys becomes the candidate."""

from __future__ import annotations

from dataclasses import replace

import psycopg2
import pytest

from tests.conftest import PUBLISHED
from tests.helpers import administer
from tests.publication.lab import Lab

# all that a table of mirror promises, by name
PROMISES = """
    select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
    where connamespace = 'mirror'::regnamespace and contype in ('p', 'u', 'f')
    union all
    select tablename, indexname, indexdef from pg_indexes where schemaname = 'mirror'
    order by 1, 2, 3
"""


@pytest.fixture
def unpublished(lab: Lab) -> Lab:
    """A lab with the mirror that a first build starts with: empty, without foreign keys."""
    for table, name in lab.rows("""
        select conrelid::regclass::text, conname from pg_constraint
        where contype in ('f', 'u') and connamespace = 'mirror'::regnamespace
    """):
        lab.run(f"alter table {table} drop constraint {name}")
    lab.run("truncate " + ", ".join(f"mirror.{table}" for table in PUBLISHED))
    return replace(lab, script=lab.rendered())


def test_every_promise_is_kept_from_the_first_publication_on(lab: Lab) -> None:
    promises = lab.rows(PROMISES)
    lab.run("drop schema reports cascade")
    lab.run("drop table " + ", ".join(f"mirror.{table}" for table in PUBLISHED))

    lab.publish()

    assert lab.state() == lab.candidate()
    assert lab.rows(PROMISES) == promises
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        lab.run("update mirror.projects_users set user_id = 999999999")


def test_promises_are_recognised_whatever_the_sessions_settings(lab: Lab) -> None:
    promises = lab.rows(PROMISES)

    lab.run(f"set search_path = mirror; set quote_all_identifiers = on; {lab.next_script()}")

    assert lab.rows(PROMISES) == promises


def test_an_orphan_among_the_first_rows_stops_at_its_foreign_key(unpublished: Lab) -> None:
    unpublished.run("""
        update marts.projects_users set user_id = 999999999
        where id = (select max(id) from marts.projects_users)
    """)
    promises, state = unpublished.rows(PROMISES), unpublished.state()

    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="projects_users_user_id"):
        unpublished.publish()

    assert unpublished.rows(PROMISES) == promises
    assert unpublished.state() == state


def test_who_is_no_superuser_publishes_too(unpublished: Lab) -> None:
    unpublished.run("drop role if exists publisher; create role publisher login")
    try:
        for schema in ("mirror", "marts", "intermediate", "ops"):
            unpublished.run(f"""
                grant all on schema {schema} to publisher;
                grant all on all tables in schema {schema} to publisher;
            """)
        for table in PUBLISHED:
            unpublished.run(f"alter table mirror.{table} owner to publisher")
        unpublished.run("alter table ops.rejections owner to publisher")
        script = unpublished.next_script()

        administer({**unpublished.variables, "PGUSER": "publisher"}, script)

        assert unpublished.state() == unpublished.candidate()
    finally:
        unpublished.run("reassign owned by publisher to current_user; drop owned by publisher")
        unpublished.run("drop role publisher")
