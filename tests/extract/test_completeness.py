"""The students of all campuses are all students of the cursus; nobody is missed for a campus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from psycopg2.extensions import connection as Connection

from extract.listing.listing import Finished, Listing
from extract.passes.students import students as read_students
from extract.progress import ExtractionProgress
from extract.tables import TABLES
from tests.end_to_end.oracle import rows
from tests.extract.commands import ask, calls, control, forget_calls, run
from tests.faults.truth import Truth

pytestmark = pytest.mark.slow  # several passes each

CAMPUS = 7  # the largest


def break_(world: str, kind: str, path: str, **fault: Any) -> None:
    control(world, "faults", {"kind": kind, "path": path, "call": "every", **fault})


def students_of(world: str, campus: int) -> set[int]:
    """The students of a campus, as the API lists them."""
    users = Truth(world, "sandbox").rows("users")
    return {user for (user,), row in users.items() if row["campus_id"] == campus}


def campuses(world: str) -> list[int]:
    """Those that the API lists."""
    return sorted(campus["id"] for campus in rows(world, "campus"))


def hide_campus(world: str) -> None:
    """Have the list of campuses call it by a number that no student has."""
    row = campuses(world).index(CAMPUS)
    break_(world, "set_field", r"/v2/campus\?", field="id", value=999, row=row)


def everybody(world: str) -> set[int]:
    """The students of the cursus, as the API counts them."""
    return {user for (user,) in Truth(world, "sandbox").rows("users")}


def test_a_campus_that_answers_an_empty_list_the_first_time_fails_the_pass(
    world: str, connection: Connection
) -> None:
    break_(world, "empty_list", rf"primary_campus_id%5D={CAMPUS}&", total=0)

    result = run("run")

    students, gap = len(everybody(world)), len(students_of(world, CAMPUS))
    at_campuses = students - len(students_of(world, 0))
    assert result.exit_code == 1
    assert f"add up to {at_campuses - gap}, but the API counts {at_campuses}" in result.output
    assert f"{students} in the cursus" in result.output
    assert f"Campuses without a student: {CAMPUS}." in result.output
    tables = "select from pg_tables where schemaname = 'raw' and tablename = 'users'"
    assert not ask(connection, tables)


@pytest.mark.parametrize("unlisted", [True, False], ids=["unlisted campus", "no campus"])
def test_students_of_no_listed_campus_are_read(
    unlisted: bool, world: str, connection: Connection
) -> None:
    assert students_of(world, 0)
    listed = campuses(world)
    if not unlisted:  # as if they had none: the filter finds nobody
        first = min(set(range(1, 200)) - set(listed))
        break_(world, "empty_list", rf"primary_campus_id%5D={first},", total=0)

    for expected in (len(listed) + 12, len(listed) + 8):  # the second time they are known
        forget_calls(world)
        assert run("run").exit_code == 0
        found = ask(connection, "select id, campus_id from raw.users")
        assert {user for user, _ in found} == everybody(world)
        assert {user for user, campus in found if campus == 0} == students_of(world, 0)
        assert calls(world)["paths"]["/v2/cursus/:cursus_id/users"] <= expected


def test_students_of_a_campus_that_is_listed_no_more_are_still_read(
    read_world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = read_world
    students = everybody(world)
    elsewhere = students_of(world, CAMPUS) | students_of(world, 0)
    monkeypatch.setenv("ALLOW_DELETES", "1")
    hide_campus(world)

    assert run("run").exit_code == 0

    assert not ask(connection, f"select from raw.campus where id = {CAMPUS}")
    found = ask(connection, "select id, campus_id from raw.users")
    assert {user for user, _ in found} == students
    assert {user for user, campus in found if campus == 0} == elsewhere


def test_who_moves_to_a_campus_that_is_not_listed_stops_no_live_pass(
    read_world: str, connection: Connection
) -> None:
    world = read_world
    assert run("run", "--mode", "live").exit_code == 0
    control(world, "advance", {"transfer": 3})
    break_(world, "set_field", r"/v2/campus_users\?", field="campus_id", value=998, rows="all")

    result = run("run", "--mode", "live")

    assert result.exit_code == 0, result.output
    (moved,) = ask(connection, "select array_agg(distinct user_id) from raw.campus_users")[0]
    assert len(moved) >= 3
    found = ask(connection, "select campus_id from raw.users where id = any(%s)", moved)
    assert set(found) == {(0,)}


def test_who_joins_a_campus_that_was_read_already_is_in_the_same_pass(
    world: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = len(campuses(world))
    read: set[str] = set()
    show = ExtractionProgress.page

    def page(progress: ExtractionProgress, listing: Any, arrived: Any) -> None:
        show(progress, listing, arrived)
        if listing.table == "users" and len(read) < most:
            read.add(listing.key)
            if len(read) == most:
                control(world, "advance", {"new_users": 3})

    monkeypatch.setattr(ExtractionProgress, "page", page)
    before = everybody(world)

    assert run("run").exit_code == 0

    after = everybody(world)
    assert len(after - before) == 3
    found = ask(connection, "select id, campus_id from raw.users")
    assert {user for user, _ in found} == after
    assert {user for user, campus in found if campus == 0} == students_of(world, 0)


@pytest.mark.parametrize("counted", [3, 4], ids=["once", "twice"])
def test_a_student_of_two_primary_campuses_is_one_student(counted: int) -> None:
    """The API may count them once or twice where it is asked for both campuses together."""
    table, asked = TABLES["users"], list[str]()
    at = {1: [10, 11], 2: [11, 12]}
    totals = {"all": 3, "2 campuses": counted, "campus 1": 2, "campus 2": 2}

    def listing(listings: Iterable[Listing], *, cache: bool = True) -> Iterator[Finished]:
        for one in listings:
            asked.append(one.key)
            ids = at.get(one.constants["campus_id"], [])
            columns = {"id": pa.array(ids, pa.int64())}
            yield Finished(one, pa.table(columns), 1, 1, 0, len(ids))

    context: Any = SimpleNamespace(
        settings=SimpleNamespace(cursus_id=21),
        campuses=pa.table({"id": [1, 2]}),
        campus_ids=None,
        raw=SimpleNamespace(scope_values=lambda name: set(), keys=lambda name, scope: set()),
        total=lambda listing: totals[listing.key],
        listing=listing,
        check_gone=lambda name, gone: None,
        plan=lambda calls: None,
        scope={},
    )

    found = [key for part in read_students(context, table) for key in part.column("id").to_pylist()]

    assert (found, asked) == ([10, 11, 12], ["campus 1", "campus 2"])
