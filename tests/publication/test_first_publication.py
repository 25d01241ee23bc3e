"""The first rows of a table: indexes and checks come after them, unless something is in the way."""

from __future__ import annotations

from dataclasses import replace

import psycopg2
import pytest

from tests.publication.lab import TABLES, Lab

PRIMARY_KEYS = """
    select conrelid::regclass::text, oid from pg_constraint
    where contype = 'p' and connamespace = 'mirror'::regnamespace
"""
FILES = """
    select relname, relfilenode from pg_class
    where relnamespace = 'mirror'::regnamespace and relname ~ '^(projects_users|of_a_reader)'
"""
# all that a table of mirror promises, by name
PROMISES = """
    select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
    where connamespace = 'mirror'::regnamespace and contype in ('p', 'u', 'f')
    union all
    select tablename, indexname, indexdef from pg_indexes where schemaname = 'mirror'
    union all
    select tgrelid::regclass::text, tgname, tgenabled::text from pg_trigger
    where tgconstrrelid in (select oid from pg_class where relnamespace = 'mirror'::regnamespace)
    order by 1, 2, 3
"""


@pytest.fixture
def unpublished(lab: Lab) -> Lab:
    """A lab with the mirror that a first build starts with: empty, without foreign keys."""
    for table, name in lab.rows("""
        select conrelid::regclass::text, conname from pg_constraint
        where contype = 'f' and connamespace = 'mirror'::regnamespace
    """):
        lab.run(f"alter table {table} drop constraint {name}")
    lab.run("truncate " + ", ".join(f"mirror.{table}" for table in TABLES))
    return replace(lab, script=lab.rendered())


@pytest.fixture
def emptied(lab: Lab) -> Lab:
    """A lab with a published mirror that has no row of one relation yet, as before a backfill."""
    lab.run("truncate mirror.projects_users")
    lab.run("create index of_a_reader on mirror.projects_users (status) where final_mark > 100")
    return replace(lab, script=lab.rendered())


def test_the_first_rows_go_in_without_their_key_and_leave_with_it(unpublished: Lab) -> None:
    before = dict(unpublished.rows(PRIMARY_KEYS))

    unpublished.publish()

    after = dict(unpublished.rows(PRIMARY_KEYS))
    assert unpublished.state() == unpublished.candidate()
    assert set(after) == {f"mirror.{table}" for table in TABLES}
    filled = {t for t in after if unpublished.value(f"select exists (select from {t})")}
    assert {table for table in after if after[table] != before[table]} == filled
    assert len(filled) > 10


def test_a_reader_or_a_view_in_the_way_does_not_stop_the_first_publication(
    unpublished: Lab,
) -> None:
    # The view may name any column of the user because it groups by the primary key.
    unpublished.run("""
        create view public.levels as
        select users.id, users.login, count(*) as enrolments
        from mirror.users inner join mirror.cursus_users on users.id = cursus_users.user_id
        group by users.id
    """)
    before = dict(unpublished.rows(PRIMARY_KEYS))
    reader = unpublished.connect(autocommit=False)
    with reader.cursor() as cursor:
        cursor.execute("select count(*) from mirror.projects_users")

        unpublished.publish()

        cursor.execute("select count(*) from mirror.projects_users")
        assert cursor.fetchone() > (0,)  # read committed: the next statement sees the new state
    reader.close()

    after = dict(unpublished.rows(PRIMARY_KEYS))
    assert unpublished.state() == unpublished.candidate()
    assert after["mirror.projects_users"] == before["mirror.projects_users"]
    assert after["mirror.users"] == before["mirror.users"]
    assert after["mirror.achievements_users"] != before["mirror.achievements_users"]
    assert unpublished.value("select count(*) from public.levels") > 0


def test_rows_that_came_in_meanwhile_are_not_written_again(unpublished: Lab) -> None:
    unpublished.run("insert into mirror.campuses select * from marts.campuses")
    unpublished.run("insert into mirror.users select * from marts.users where id % 2 = 0")
    there = unpublished.value("select count(*) from mirror.users")
    before = unpublished.writes()["users"]

    unpublished.publish()

    inserted, updated, deleted = unpublished.writes()["users"]
    total = unpublished.value("select count(*) from mirror.users")
    assert unpublished.state() == unpublished.candidate()
    assert 0 < there < total
    assert (inserted - before[0], updated, deleted) == (total - there, before[1], before[2])


def test_a_table_that_was_empty_keeps_every_promise(emptied: Lab) -> None:
    promises, files = emptied.rows(PROMISES), dict(emptied.rows(FILES))

    emptied.publish()

    after = dict(emptied.rows(FILES))
    assert emptied.state() == emptied.candidate()
    assert emptied.rows(PROMISES) == promises
    assert set(after) == set(files) and "of_a_reader" in files
    assert not set(after.values()) & set(files.values())  # table and indexes were filled anew
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        emptied.run("update mirror.projects_users set user_id = 999999999")


def test_an_orphan_among_the_first_rows_stops_at_its_foreign_key(emptied: Lab) -> None:
    emptied.run("""
        update marts.projects_users set user_id = 999999999
        where id = (select max(id) from marts.projects_users)
    """)
    promises, state = emptied.rows(PROMISES), emptied.state()

    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="first rows of projects_users"):
        emptied.publish()

    assert emptied.rows(PROMISES) == promises
    assert emptied.state() == state


def test_who_is_no_superuser_publishes_first_rows_too(emptied: Lab) -> None:
    emptied.run("drop role if exists publisher; create role publisher login")
    try:
        for schema in ("mirror", "marts", "intermediate", "ops"):
            emptied.run(f"""
                grant all on schema {schema} to publisher;
                grant all on all tables in schema {schema} to publisher;
            """)
        for table in TABLES:
            emptied.run(f"alter table mirror.{table} owner to publisher")
        promises, script = emptied.rows(PROMISES), emptied.next_script()

        connection = emptied.connect(user="publisher")
        connection.cursor().execute(script)
        connection.close()

        assert emptied.state() == emptied.candidate()
        assert emptied.rows(PROMISES) == promises
    finally:
        emptied.run("reassign owned by publisher to current_user; drop owned by publisher")
        emptied.run("drop role publisher")
