"""A real build with a changed world and a changed contract: history, views, a new column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import WITHOUT_UNIT_TESTS
from tests.helpers import ROOT
from tests.publication.conftest import Published, copied, copy_project
from tests.publication.lab import Lab, Outcome

pytestmark = pytest.mark.slow  # a build of a changed project, which dbt reads anew

CHANGED_COLUMN = """      - name: wallet
        data_type: bigint
        description: Wallet; from -19,100 to 827,942,872 where it was recorded.
"""
NEW_COLUMN = """      - name: riches
        data_type: bigint
        description: Twice the wallet.
"""


@dataclass(frozen=True)
class Story:
    """A lab after a third build, in which things changed."""

    lab: Lab
    outcome: Outcome
    before: datetime


@pytest.fixture(scope="module")
def story(
    published: Published, server: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    with copied(server, published.lab) as lab:
        yield lived_on(lab, copy_project(tmp_path_factory.mktemp("changed")))


def lived_on(lab: Lab, project: Path) -> Story:
    """Change the world and the contract, and build."""
    before = lab.value("select clock_timestamp()")
    lab.run("""
        create schema consumer;
        create view consumer.rich as select login, wallet from mirror.users;
        create materialized view consumer.counts as
        select campus_id, count(*) as students from mirror.users group by campus_id;
        grant select on mirror.users to public;
        update raw.users set wallet = 50, location = 'c1r1', updated_at = now() where id = 2;
        -- of a version that kept it
        update snapshots.users_history set location = 'c2r2' where id = 3;
        delete from raw.users where id = 7;
        delete from raw.achievements where id = 12;
    """)
    model = project / "dbt_project/models/marts/users"
    sql, yml = model.with_suffix(".sql"), model.with_suffix(".yml")
    assert CHANGED_COLUMN in yml.read_text() and "users.wallet," in sql.read_text()
    yml.write_text(yml.read_text().replace(CHANGED_COLUMN, CHANGED_COLUMN + NEW_COLUMN))
    sql.write_text(
        sql.read_text().replace(
            "users.wallet,",
            "users.wallet,\n        users.wallet * 2 as riches,",
        )
    )
    # A report over mirror that uses the new column before anything was published with it.
    reports = project / "dbt_project/models/reports"
    (reports / "riches.sql").write_text("select login, riches from {{ published('users') }}\n")
    outcome = lab.dbt("build", *WITHOUT_UNIT_TESTS, project=project)
    return Story(lab, outcome, before)


def test_a_new_column_and_a_report_that_uses_it_arrive_with_one_build(story: Story) -> None:
    assert story.outcome.success, story.outcome.output
    assert story.lab.state() == story.lab.candidate()
    assert story.lab.value("select riches from reports.riches where login = 'login2'") == 100


def test_views_materialised_views_and_grants_survive_a_changed_contract(story: Story) -> None:
    assert story.lab.value("select wallet from consumer.rich where login = 'login2'") == 50
    story.lab.run("refresh materialized view consumer.counts")
    assert story.lab.value("select has_table_privilege('public', 'mirror.users', 'select')")
    assert story.lab.value(
        "select has_table_privilege('mirror_reader', 'reports.riches', 'select')"
    )


def test_rows_that_the_api_no_longer_lists_are_gone_with_their_children(story: Story) -> None:
    deleted = dict(
        story.lab.rows(
            "select table_name, count(*) from ops.changes where action = 'delete' group by 1"
        )
    )

    assert deleted["users"] == deleted["cursus_users"] == deleted["achievements"] == 1
    assert deleted["projects_users"] == 4
    assert deleted["achievements_users"] > 1 and deleted["campus_achievements"] > 0


def test_the_history_keeps_no_place_where_somebody_sat(story: Story) -> None:
    assert story.lab.value("select location from mirror.users where id = 2") == "c1r1"
    assert story.lab.value("select count(*) from snapshots.users_history where id = 2") == 2
    assert story.lab.value("select count(location) from snapshots.users_history") == 0


def documented(name: str, **values: str) -> str:
    """A query of docs/history.md, about somebody of this world."""
    text = (ROOT / "docs" / "history.md").read_text()
    query: str
    [query] = re.findall(rf"```sql\n-- {name}\n(.*?)```", text, re.DOTALL)
    for old, new in values.items():
        query = query.replace({"login": "jdoe", "at": "2025-12-01 12:00+00"}[old], new)
    return query


def asked(lab: Lab, query: str, column: str) -> list[Any]:
    return [
        row for (row,) in lab.rows(f"select {column} from ({query.strip(' ;' + chr(10))}) as q")
    ]


@pytest.mark.parametrize(("day", "wallet"), [("before", [0]), ("now", [50]), ("2020-01-01", [])])
def test_the_documented_query_shows_a_row_as_it_was(
    story: Story, day: str, wallet: list[int]
) -> None:
    at = {"before": str(story.before), "now": "now"}.get(day, day)

    assert asked(story.lab, documented("row_on_a_day", login="login2", at=at), "wallet") == wallet


def test_the_documented_query_shows_who_was_deleted(story: Story) -> None:
    assert asked(story.lab, documented("entities_deleted"), "login") == ["login7"]
    deleted = asked(story.lab, documented("rows_deleted"), "table_name || ' ' || key::text")
    assert 'users {"id": 7}' in deleted and 'achievements {"id": 12}' in deleted
    assert asked(story.lab, documented("row_on_a_day", login="login7", at="now"), "id") == []


def test_the_documented_queries_show_versions_and_changes(story: Story) -> None:
    versions = documented("versions", login="login7")
    changes = documented("changes_of_a_row").replace("projects_users", "users")

    assert asked(story.lab, versions, "deleted") == [False, True]
    assert asked(story.lab, changes.replace("123456", "2"), "columns") == [
        None,
        ["location", "wallet", "riches", "updated_at"],
    ]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])  # another day in one of them
def test_the_documented_queries_compare_a_row_with_itself_in_any_time_zone(
    story: Story, zone: str
) -> None:
    with closing(story.lab.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("begin")
        for table in ("cursus_users", "coalitions"):
            cursor.execute(
                f"update snapshots.{table}_history set dbt_valid_from = now() - interval '9 days'"
            )
        # who came back has two enrolments
        cursor.execute(
            "insert into snapshots.cursus_users_history "
            "(id, user_id, level, dbt_valid_from, dbt_is_deleted) "
            "values (-1, 2, 20, now() - interval '9 days', 'False')"
        )
        cursor.execute("set local timezone to %s", (zone,))
        cursor.execute(documented("levels_gained"))
        gained = [gained for login, _, gained in cursor.fetchall() if login == "login2"]
        assert gained == [0, 0]
        cursor.execute(documented("week_beside_week"))
        assert {gained for *_, gained in cursor.fetchall()} == {0}
        cursor.execute("rollback")


def test_to_forget_old_versions_makes_no_arrivals(story: Story) -> None:
    events = "select event, user_id from reports.arrivals_and_departures order by 1, 2"
    with closing(story.lab.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute(
            "update snapshots.users_history set "
            "dbt_valid_from = dbt_valid_from - interval '2 years', "
            "dbt_valid_to = dbt_valid_to - interval '2 years'"
        )
        cursor.execute(
            "insert into snapshots.users_history "
            "(id, dbt_valid_from, dbt_valid_to, dbt_is_deleted) "
            "select 2, dbt_valid_from + interval '1 second', dbt_valid_to, 'False' "
            "from snapshots.users_history where id = 2 and dbt_valid_to is not null"
        )
        cursor.execute(events)
        before = cursor.fetchall()
        cursor.execute(documented("old_versions_forgotten"))
        assert cursor.rowcount == 1
        cursor.execute(events)
        assert cursor.fetchall() == before
        cursor.execute("rollback")


def test_a_new_column_gives_a_new_version_to_nobody(story: Story) -> None:
    versions = "select id, riches from snapshots.users_history where id in (2, 3) order by 1, 2"
    count = "select count(*) from snapshots.users_history where dbt_valid_from > '{}'"

    # A version that ended had no such column; one that goes on has it.
    assert story.lab.rows(versions) == [(2, 100), (2, None), (3, 0)]
    assert story.lab.value(count.format(story.before)) == 2  # login2 changed, login7 went
