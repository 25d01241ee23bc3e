"""The first rows of a table: its primary key comes after them, unless something is in the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.publication.lab import TABLES, Lab

PRIMARY_KEYS = """
    select conrelid::regclass::text, oid from pg_constraint
    where contype = 'p' and connamespace = 'mirror'::regnamespace
"""
FOREIGN_KEYS = """
    select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint
    where contype = 'f' and connamespace = 'mirror'::regnamespace order by 1, 2
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


def test_the_first_rows_go_in_without_their_key_and_leave_with_it(unpublished: Lab) -> None:
    before = dict(unpublished.rows(PRIMARY_KEYS))

    unpublished.publish()

    after = dict(unpublished.rows(PRIMARY_KEYS))
    assert unpublished.state() == unpublished.candidate()
    assert set(after) == {f"mirror.{table}" for table in TABLES}
    made_anew = {table for table in after if after[table] != before[table]}
    assert made_anew == {table for table, _ in unpublished.rows(FOREIGN_KEYS)}
    assert len(made_anew) > 5


def test_a_reader_or_a_view_in_the_way_of_the_key_does_not_stop_the_first_publication(
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


def test_rows_that_are_there_are_not_written_again_by_a_first_publication(
    unpublished: Lab,
) -> None:
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
