"""Readers during ten publications of a changing world: never torn, never broken, never waiting."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import psycopg2

from tests.conftest import PUBLISHED
from tests.helpers import wait_for
from tests.publication.lab import Lab

# Every round gives the marked columns of all rows the same new number, deletes students with all
# they have, brings others, and moves memberships from one coalition to another.
MARK = """
update marts.campuses set users_count = {round};
update marts.projects set difficulty = {round};
update marts.coalitions set score = {round};
update marts.users set wallet = {round};
"""
ROUND = (
    MARK
    + """
delete from marts.users where id % 40 = {round};
insert into marts.users (id, login, kind, wallet, campus_id)
select 100000 * {round} + n, 'new-{round}-' || n, 'student', {round}, 1 + n % 4
from generate_series(1, 20) as n;
insert into marts.cursus_users (id, user_id, cursus_id, level)
select id, id, 21, 0 from marts.users where id > 100000 * {round};
insert into marts.projects_users (id, user_id, project_id, status)
select users.id * 100 + projects.id, users.id, projects.id, 'in_progress'
from marts.users cross join marts.projects where users.id > 100000 * {round};
update marts.coalitions_users set coalition_id = 1 + (coalition_id + {round}) % 8;
"""
)
MARKS = """
select min(mark), max(mark) from (
    select users_count as mark from mirror.campuses union all
    select difficulty from mirror.projects union all
    select score from mirror.coalitions union all
    select wallet from mirror.users
) as marks
"""
MARK_OF = {
    "campuses": "users_count",
    "projects": "difficulty",
    "coalitions": "score",
    "users": "wallet",
}
ORPHANS = """
select
    (select count(*) from mirror.users where not exists (
        select from mirror.campuses where campuses.id = users.campus_id))
    + (select count(*) from mirror.cursus_users where not exists (
        select from mirror.users where users.id = cursus_users.user_id))
    + (select count(*) from mirror.projects_users where not exists (
        select from mirror.users where users.id = projects_users.user_id))
    + (select count(*) from mirror.projects_users where not exists (
        select from mirror.projects where projects.id = projects_users.project_id))
    + (select count(*) from mirror.coalitions_users where not exists (
        select from mirror.coalitions where coalitions.id = coalitions_users.coalition_id))
"""


@dataclass
class Seen:
    """What a reader saw."""

    reads: int = 0
    marks: set[int] = field(default_factory=set)
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)


def poll(lab: Lab, isolation: str, stop: threading.Event, seen: Seen) -> None:
    """Read all tables again and again, each time in a transaction of its own."""
    connection = lab.connect()
    try:
        while not stop.is_set():
            with connection.cursor() as cursor:
                cursor.execute(f"begin isolation level {isolation}")
                marks = set()
                for query in queries(isolation):
                    started = time.monotonic()
                    cursor.execute(query)
                    seen.slowest = max(seen.slowest, time.monotonic() - started)
                    row = cursor.fetchone()
                    if query == ORPHANS and row != (0,):
                        seen.wrong.append(f"{row} orphans")
                    elif query != ORPHANS and row:
                        marks |= {mark for mark in row if mark is not None}
                cursor.execute("commit")
            # Statements of one read committed transaction may see one publication after another.
            if isolation == "repeatable read" and len(marks) != 1:
                seen.wrong.append(f"a mix of {marks}")
            seen.marks |= marks
            seen.reads += 1
    except psycopg2.Error as error:
        seen.wrong.append(str(error))
    finally:
        connection.close()


def queries(isolation: str) -> list[str]:
    """Repeatable read asks table by table; read committed asks for one state in one statement."""
    if isolation == "read committed":
        return [MARKS, ORPHANS]
    one_by_one = [
        f"select min({MARK_OF[table]}), max({MARK_OF[table]}) from mirror.{table}"
        if table in MARK_OF
        else f"select null from mirror.{table} limit 1"
        for table in PUBLISHED
    ]
    return [*one_by_one, ORPHANS]


def test_readers_never_see_an_orphan_a_mix_or_an_error_and_never_wait(lab: Lab) -> None:
    of_users = "".join(
        f"delete from marts.{table} where {column} % 40 = {{round}};\n"
        for table, column in lab.of_users()
    )
    assert "marts.cursus_users" in of_users
    lab.run(MARK.format(round=0))
    lab.publish()
    stop = threading.Event()
    readers = {level: Seen() for level in ("repeatable read", "read committed")}
    threads = [
        threading.Thread(target=poll, args=(lab, level, stop, seen))
        for level, seen in readers.items()
    ]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 11):
            lab.run((of_users + ROUND).format(round=number))
            lab.publish()
        wait_for(
            lambda: all(10 in seen.marks for seen in readers.values()),
            "a reader to see the last state",
            10,
        )
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    for level, seen in readers.items():
        assert seen.wrong == [], level
        assert seen.marks <= set(range(11)), level
        assert len(seen.marks) > 3, f"{level}: too few of the publications were watched"
        assert seen.slowest < 1, f"{level}: a statement took {seen.slowest:.2f} s"
    assert lab.state() == lab.candidate()
    assert lab.value("select count(*) from ops.runs where status = 'published'") == 12


def test_a_publication_waits_for_no_reader(lab: Lab) -> None:
    reader = lab.connect(autocommit=False)
    with reader.cursor() as cursor:
        for table in PUBLISHED:
            cursor.execute(f"select count(*) from mirror.{table}")
        lab.run("update marts.users set wallet = 99")
        started = time.monotonic()
        lab.publish()
        took = time.monotonic() - started
        cursor.execute("select count(*) from mirror.users where wallet = 99")
        assert cursor.fetchone() == (lab.value("select count(*) from marts.users"),)
    reader.close()

    assert took < 5
