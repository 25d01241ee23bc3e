"""What must not be published is not, mirror stays as it was, and the terminal says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg2
import pytest

from extract.base.settings import MIN_GUARDED_ROWS
from tests.conftest import PUBLISHED, WITHOUT_UNIT_TESTS
from tests.publication.lab import Lab


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["build", "--select", "campuses"], "the selection leaves out"),
        pytest.param(["run", "--select", "campuses"], "this was `dbt run`", marks=pytest.mark.slow),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_part_of_a_build_publishes_nothing_and_says_so(
    lab: Lab, arguments: list[str], reason: str
) -> None:
    lab.run("update raw.campus set name = 'Renamed' where id = 1")
    before = lab.state()

    outcome = lab.dbt("--quiet", *arguments)

    assert outcome.success
    assert "Nothing was published; mirror is as it was." in outcome.output
    assert reason in outcome.output
    assert lab.value("select name from marts.campuses where id = 1") == "Renamed"
    assert lab.state() == before


@pytest.mark.slow
def test_an_emptied_build_publishes_nothing_and_remembers_nothing(lab: Lab) -> None:
    before = lab.state()
    versions = lab.value("select count(*) from snapshots.users_history")

    outcome = lab.dbt("build", "--empty", "--exclude-resource-type", "test", "unit_test")

    assert not outcome.success  # the history says that it is left as it is
    assert "--exclude-resource-type snapshot" in outcome.output
    assert "--empty builds tables without rows" in outcome.output
    assert lab.value("select count(*) from marts.users") == 0
    assert lab.state() == before
    assert lab.value("select count(*) from snapshots.users_history") == versions


def test_a_build_is_refused_while_another_run_holds_the_lock(lab: Lab) -> None:
    other = lab.connect()
    with other.cursor() as cursor:
        cursor.execute("set application_name = 'fortytwo-mirror full 20251201-run'")
        cursor.execute("select pg_advisory_lock(42, 21)")
    built = lab.value("select max(built_at) from ops.candidates")

    refused = lab.dbt("build", "--select", "cursus")
    own = lab.dbt("build", "--select", "cursus", FORTYTWO_RUN_ID="20251201-run")
    other.close()

    assert not refused.success
    assert "Another run is at work: fortytwo-mirror full 20251201-run" in refused.output
    assert own.success
    assert lab.value("select max(built_at) from ops.candidates") == built


@pytest.mark.parametrize(
    "before", ["drop schema ops cascade", "alter table ops.candidates drop column compared_since"]
)
def test_a_build_without_ops_of_its_version_says_what_to_do_first(lab: Lab, before: str) -> None:
    lab.run(before)

    outcome = lab.dbt("--quiet", "build", *WITHOUT_UNIT_TESTS)

    assert not outcome.success
    assert "run `make extract` first" in outcome.output


@pytest.mark.slow
def test_mass_deletion_is_stopped_until_it_is_confirmed(lab: Lab) -> None:
    lab.run("""
        delete from raw.projects_users where id % 3 = 0;
        update raw.users set location = 'c1r2', updated_at = now() where id = 3;
        update raw.users set wallet = 9 where id = 2;
    """)
    before = lab.state()
    versions = lab.value("select count(*) from snapshots.users_history")
    build = ("--quiet", "build", *WITHOUT_UNIT_TESTS)

    refused = lab.dbt(*build, ALLOW_DELETES="False")

    assert not refused.success
    assert refused.failed() == {"assert_deletions_within_limit"}
    [reason] = [line for line in refused.output.splitlines() if "it would delete" in line]
    assert "rows of projects_users" in reason and "ALLOW_DELETES=1" in refused.output
    assert lab.state() == before
    assert lab.value("select count(*) from snapshots.users_history") == versions
    [(status, message)] = lab.rows(
        "select status, message from ops.runs order by started_at desc limit 1"
    )
    assert status == "failed" and "it would delete" in message
    assert set(lab.rows("select _action from intermediate.projects_users__differences")) == {
        ("delete",)
    }

    allowed = lab.dbt(*build, ALLOW_DELETES="1")

    assert allowed.success, allowed.output
    assert lab.state() == lab.candidate()
    assert lab.rows(
        "select status, allow_deletes from ops.runs order by started_at desc limit 1"
    ) == [("published", True)]
    # Where somebody sits makes no version; what somebody owns does.
    assert lab.value("select count(*) from snapshots.users_history") == versions + 1


def test_the_publication_itself_guards_against_mass_deletion_too(lab: Lab) -> None:
    lab.run("delete from marts.projects_users where id % 3 = 0")
    before = lab.state()

    with pytest.raises(psycopg2.Error, match=r"it would delete \d+ of \d+ rows of projects_users"):
        lab.publish()

    assert lab.state() == before


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("MAX_DELETE_FRACTION", "0.25", '"max_delete_fraction": 0.25'),
        ("MAX_DELETE_FRACTION", "10%", "it must be a share between 0 and 1"),
        ("CHANGES_RETENTION_DAYS", "30", '"retention_days": 30'),
        ("CHANGES_RETENTION_DAYS", "90 days", "it must be a whole number"),
    ],
)
def test_a_setting_of_the_publication_is_taken_or_refused_by_name(
    lab: Lab, setting: str, value: str, expected: str
) -> None:
    shown = lab.dbt("--quiet", "run-operation", "show_publication", **{setting: value})

    assert shown.success == expected.startswith('"')
    assert expected in shown.output
    assert (f'"min_guarded_rows": {MIN_GUARDED_ROWS}' in shown.output) == shown.success


def test_a_small_table_may_lose_most_of_its_rows(lab: Lab) -> None:
    lab.run("delete from marts.project_sessions where id % 100 < 25")
    deleted = 49 - lab.value("select count(*) from marts.project_sessions")

    lab.publish()

    assert 5 < deleted < 20


def test_candidates_of_another_run_are_not_published(lab: Lab) -> None:
    lab.run("update marts.users set wallet = 1")
    before = lab.state()
    script = lab.next_script()
    lab.run("update ops.candidates set run_id = 'another' where table_name = 'campuses'")

    with pytest.raises(psycopg2.Error, match="another dbt run has rebuilt campuses"):
        lab.run(script)

    assert lab.state() == before


def test_candidates_that_a_restart_emptied_are_not_published(lab: Lab) -> None:
    script = lab.next_script()
    lab.run("delete from marts.campus_achievements where achievement_id = 1")
    before = lab.state()

    with pytest.raises(psycopg2.Error, match=r"campus_achievements has \d+ rows, but was built"):
        lab.run(script)

    assert lab.state() == before


def test_an_orphan_that_no_test_found_stops_at_the_foreign_key(lab: Lab) -> None:
    lab.run("""
        insert into marts.project_sessions (id, project_id) values (999, 12345);
        update marts.users set wallet = 1;
    """)
    before = lab.state()

    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="project_sessions_project_id"):
        lab.publish()

    assert lab.state() == before
    assert lab.value("select count(*) from ops.changes where action = 'update'") == 0


def test_children_of_a_parent_that_went_are_not_lost_in_silence(lab: Lab) -> None:
    lab.run("delete from marts.projects where id = 5")  # its registrations stay behind
    before = lab.state()

    with pytest.raises(psycopg2.Error, match="refer to a parent that is gone"):
        lab.publish()

    assert lab.state() == before


# Rows that break a rule, as a wrong model would let them through, and the test that has to notice.
BROKEN = {
    "campuses_are_active_public_and_populated": """
        update marts.campuses set active = false where id = 1""",
    "users_are_students_and_not_alumni": "update marts.users set alumni = true where id = 1",
    "users_logins_are_unique": "update marts.users set login = 'login2' where id = 1",
    "users_emails_are_unique": "update marts.users set email = (select email from marts.users "
    "where id = 3) where id = 2",
    "users_campus_is_kept": "update marts.users set campus_id = 5 where id = 3",
    "assert_projects_are_in_the_cursus_at_a_kept_campus": """
        insert into marts.projects (id, name) values (28, 'of another cursus')""",
    "project_sessions_project_is_kept": """
        insert into marts.project_sessions (id, project_id) values (999, 12345)""",
    "project_sessions_campus_is_kept_or_null": """
        update marts.project_sessions set campus_id = 5 where id = 10""",
    "assert_campus_projects_are_on_the_projects_own_list": """
        insert into marts.campus_projects select campuses.id, projects.id
        from marts.campuses cross join marts.projects on conflict do nothing""",
    "assert_achievements_are_offered_at_a_kept_campus": """
        insert into marts.achievements (id, name) values (999, 'offered nowhere')""",
    "coalitions_users_coalition_is_kept": """
        update marts.coalitions_users set coalition_id = 9 where id = 1""",
    "cursus_users_cursus_is_kept": "update marts.cursus_users set cursus_id = 7 where id = 1",
    "cursus_users_user_is_kept": "update marts.cursus_users set user_id = 4 where id = 2",
    "projects_users_user_is_kept": "update marts.projects_users set user_id = 4 where id = 2",
    "projects_users_project_is_kept": """
        update marts.projects_users set project_id = 29 where id = 1""",
    "achievements_users_achievement_is_kept": """
        update marts.achievements_users set achievement_id = 998 where id = 1""",
    "cursus_is_the_anchor": "insert into marts.cursus (id, name, slug) values (9, 'Piscine', 'c')",
    "assert_every_raw_row_is_published_or_rejected": "delete from marts.users where id = 7",
}


def test_every_rule_that_is_broken_is_caught_by_the_test_that_names_it(lab: Lab) -> None:
    lab.run(";".join(BROKEN.values()))

    outcome = lab.dbt(
        "--quiet", "test", "--select", "path:dbt_project/models/marts", "test_type:singular"
    )

    assert not outcome.success
    assert set(BROKEN) <= outcome.failed()


def found_by(lab: Lab, name: str) -> list[tuple[Any, ...]]:
    """The rows for which a test fails, by the query that the first build made of it."""
    (compiled,) = lab.target.glob(f"compiled/**/{name}.sql")
    return lab.rows(compiled.read_text())


def test_a_row_that_is_lost_on_the_way_to_any_table_is_missed(lab: Lab) -> None:
    name = "assert_every_raw_row_is_published_or_rejected"
    assert found_by(lab, name) == []
    for table in PUBLISHED:
        lab.run(f"delete from marts.{table} where ctid = (select min(ctid) from marts.{table})")

    missed = {str(table) for table, *_ in found_by(lab, name)}
    # whose pairs come from names and answers, and have a test of their own
    assert missed == set(PUBLISHED) - {"campus_achievements"}


@pytest.mark.parametrize(
    "broken",
    [
        "delete from marts.campus_projects where project_id = (select min(id) from marts.projects)",
        "update marts.projects set cursus = '[]' where id = (select min(id) from marts.projects)",
    ],
    ids=["at no kept campus", "outside the cursus"],
)
def test_either_reason_to_leave_a_project_out_is_noticed(lab: Lab, broken: str) -> None:
    name = "assert_projects_are_in_the_cursus_at_a_kept_campus"
    assert found_by(lab, name) == []
    lab.run(broken)

    assert len(found_by(lab, name)) == 1


@pytest.mark.parametrize(
    ("accident", "name"),
    [
        ("alter table raw.users add wallet__v_text text", "assert_raw_has_no_variant_columns"),
        ("""update raw.projects set campus = '{"id": 1}'""", "projects_campus_is_a_list"),
        ("truncate raw.coalitions", "the_list_of_coalitions_is_not_empty"),
    ],
)
def test_an_accident_in_raw_is_caught_by_name(lab: Lab, accident: str, name: str) -> None:
    assert found_by(lab, name) == []
    lab.run(accident)
    assert found_by(lab, name) != []


def test_a_key_that_comes_twice_or_is_null_is_caught_in_staging(lab: Lab) -> None:
    for name in lab.rows("""
        select format('alter table %s drop constraint %I cascade', conrelid::regclass, conname)
        from pg_constraint
        where connamespace = 'raw'::regnamespace and contype in ('p', 'u')
    """):
        lab.run(name[0])
    lab.run("""
        insert into raw.cursus select * from raw.cursus limit 1;
        alter table raw.coalitions alter column id drop not null;
        update raw.coalitions set id = null where id = (select min(id) from raw.coalitions);
    """)

    assert lab.dbt("--quiet", "test", "--select", "test_name:primary_key").failed() == {
        "primary_key_stg_fortytwo__cursus_id",
        "primary_key_stg_fortytwo__coalitions_id",
    }


def test_a_duplicate_key_is_caught_by_the_contract(lab: Lab) -> None:
    with pytest.raises(psycopg2.errors.UniqueViolation):
        lab.run("insert into marts.coalitions (id, name) values (1, 'again')")


@pytest.mark.parametrize(
    "weaker",
    [
        "severity: warn",
        pytest.param('where: "id > 0"', marks=pytest.mark.slow),
        pytest.param('error_if: ">10"', marks=pytest.mark.slow),
    ],
)
def test_a_relationship_that_lets_orphans_pass_is_refused_by_name(
    lab: Lab, project: Path, weaker: str
) -> None:
    contract = project / "dbt_project/models/marts/users.yml"
    test = "              name: users_campus_is_kept\n"
    assert test in contract.read_text()
    config = f"              config: {{{weaker}}}\n"
    contract.write_text(contract.read_text().replace(test, test + config))

    outcome = lab.dbt("build", *WITHOUT_UNIT_TESTS, project=project)

    assert not outcome.success
    assert "The test users_campus_is_kept makes a foreign key of mirror" in outcome.output


def test_a_mart_that_the_list_of_tables_lacks_is_refused_by_name(lab: Lab, project: Path) -> None:
    mart = project / "dbt_project/models/marts" / "novelties.sql"
    mart.write_text("{{ config(contract={'enforced': false}) }} select 1 as id\n")

    outcome = lab.dbt("build", "--select", "cursus", project=project)

    assert not outcome.success
    assert "published_tables of dbt_project.yml differ: novelties" in outcome.output


@pytest.mark.slow
def test_a_model_that_breaks_its_rule_publishes_nothing(lab: Lab, project: Path) -> None:
    model = project / "dbt_project/models/intermediate/int_campuses__classified.sql"
    rule = "when active is not true then 'campus_inactive'"
    assert rule in model.read_text()
    model.write_text(model.read_text().replace(rule, "when false then 'campus_inactive'"))
    coalitions = project / "dbt_project/models/marts/coalitions.sql"
    coalitions.write_text(coalitions.read_text() + "union all select * from with_bloc\n")
    before = lab.state()

    outcome = lab.dbt("build", *WITHOUT_UNIT_TESTS, project=project)

    assert not outcome.success
    assert {"campuses_are_active_public_and_populated", "coalitions"} <= outcome.failed()
    assert "Nothing was published; mirror is as it was." in outcome.output
    assert lab.state() == before
    assert lab.value("select status from ops.runs order by started_at desc limit 1") == "failed"
