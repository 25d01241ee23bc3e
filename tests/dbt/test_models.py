"""The models over a raw schema that the extraction's contract itself describes."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import orjson
import pytest

from tests.conftest import Parsed
from tests.dbt.world import NETWORK, create_raw, dbt
from tests.helpers import ROOT, sql

pytestmark = pytest.mark.usefixtures("database", "dbt_target")


@pytest.mark.slow
def test_every_raw_row_is_in_its_mart_or_rejected_by_name() -> None:
    create_raw()

    built = dbt("run", "--select", "+path:dbt_project/models/marts", "int_rejected_rows")

    assert built.success, built.output
    assert sql("select id from marts.users") == [(7,)]
    assert sql("select campus_id, project_id from marts.campus_projects") == [(1, 1314)]
    assert sql("select campus_id, achievement_id from marts.campus_achievements") == [(1, 1)]
    assert sql("select id, campus_id from marts.project_sessions") == [(1, None)]
    assert sql("select id, bloc_id, campus_id from marts.coalitions") == [(335, 5, 1)]
    rejected = sql("select table_name, rule from intermediate.int_rejected_rows")
    assert Counter(rejected) == Counter(
        [
            ("cursus", "cursus_not_anchor"),
            ("campuses", "campus_inactive"),
            ("campus_projects", "campus_project_campus_not_kept"),
            ("campus_achievements", "campus_achievement_campus_not_kept"),
            ("campus_achievements", "campus_achievement_campus_not_listed"),
            ("project_sessions", "session_campus_not_kept"),
            ("users", "user_alumni"),
            ("cursus_users", "cursus_user_cursus_not_kept"),
            ("projects_users", "projects_user_project_not_kept"),
            ("coalitions_users", "coalitions_user_coalition_gone"),
        ]
    )


@pytest.mark.slow
def test_a_null_in_a_list_or_copy_stops_no_build() -> None:
    null: dict[str, None] = {"id": None}
    lists: dict[str, dict[str, Any]] = {
        "projects": {
            "cursus": [{"id": 21}, null],
            "campus": [{"id": 1}, null, None],
            "project_sessions": [{"id": 1}, None],
        },
        "achievements": {"campus": ["Paris", None]},
        "blocs": {"coalitions": [{"id": 335}, null]},
        "events": {"campus_ids": [1, None], "cursus_ids": [21, None]},
        "quests_users": {"quest_id": None, "quest": null},
        "exams": {"cursus": [{"id": 21}, null], "projects": [{"id": 1314}, null]},
    }
    create_raw(**{name: [NETWORK.get(name, [{"id": 1}])[0] | lists[name]] for name in lists})

    staging = ("--select", "path:dbt_project/models/staging/fortytwo")
    built = dbt("build", *staging, "--indirect-selection", "cautious")

    assert built.success, built.failed()
    assert sql("select campus_id, project_id from staging.stg_fortytwo__project_campuses") == [
        (1, 1314)
    ]
    assert sql("select campus_id, event_id from staging.stg_fortytwo__campus_events") == [(1, 1)]


@pytest.fixture(scope="session")
def manifest(parsed_project: Parsed) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = orjson.loads(
        (parsed_project.memory.parent / "manifest.json").read_bytes()
    )
    return found


def test_a_number_of_a_published_table_is_a_foreign_key_or_called_a_plain_number(
    manifest: dict[str, dict[str, Any]],
) -> None:
    nodes = manifest["nodes"]
    marts = {name: node for name, node in nodes.items() if node["fqn"][1:2] == ["marts"]}
    singular = {f"{node['name'].removesuffix('es')}_id" for node in marts.values()} | {
        f"{node['name'].removesuffix('s')}_id" for node in marts.values()
    }
    foreign_keys = {
        (node["attached_node"], node["column_name"])
        for node in nodes.values()
        if (node.get("test_metadata") or {}).get("name") == "relationships"
    }
    assert [
        f"{node['name']}.{column}"
        for name, node in marts.items()
        for column, described in node["columns"].items()
        if column.endswith(tuple(singular)) and (name, column) not in foreign_keys
        if "plain number" not in described["description"]
    ] == []


def test_the_rules_name_tests_that_there_are(manifest: dict[str, dict[str, Any]]) -> None:
    page = (ROOT / "dbt_project" / "models" / "_overview.md").read_text(encoding="utf-8")
    rules = re.findall(r"^\| \d+ .*\| (.*) \|$", page, re.MULTILINE)
    named = {name for rule in rules for name in re.findall(r"`(\w+)`", rule)}
    there = manifest["nodes"] | manifest["unit_tests"]
    assert len(rules) == 11
    assert named - {node["name"] for node in there.values()} == set()


def test_parsing_meets_no_deprecation(parsed_project: Parsed) -> None:
    assert "eprecat" not in parsed_project.said
