"""The raw contract: real shapes fit, drift is kept or fails by name."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import Any

import orjson
import pytest

from extract.base.errors import ContractError
from extract.listing.columns import missing_fields, to_arrow, unknown_fields
from extract.tables import TABLES, UNKNOWN_FIELDS

COALITION: dict[str, Any] = {
    "id": 1,
    "name": "Analysts",
    "slug": "analysts",
    "image_url": None,
    "cover_url": None,
    "color": "#20A39E",
    "score": 5,
    "user_id": 7,
}


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("score", "many", "a string"),
        ("score", 1.5, "a fraction"),
        ("score", True, "a boolean"),
        ("score", 2**63, "a whole number"),
        ("name", 42, "a whole number"),
        ("slug", ["a"], "a list"),
    ],
)
def test_a_changed_type_fails_by_name_and_shows_no_value(field: str, value: Any, what: str) -> None:
    rows = [copy.deepcopy(COALITION), {**COALITION, "id": 2, field: value}]
    with pytest.raises(ContractError) as failure:
        to_arrow(TABLES["coalitions"], rows, "/v2/coalitions")
    message = str(failure.value)
    assert f"Contract test raw.coalitions.{field} failed: /v2/coalitions" in message
    assert what in message
    assert "expected" in message
    assert not re.search(r"\bmany\b", message)


REGISTRATION: dict[str, Any] = {
    "id": 1,
    "occurrence": 0,
    "final_mark": 100,
    "status": "finished",
    "validated?": True,
    "current_team_id": None,
    "project": {"id": 1314},
    "cursus_ids": [21],
    "user": {"id": 7},
    "marked_at": None,
    "marked": True,
    "created_at": "2024-05-01T00:00:00.000Z",
    "updated_at": "2024-05-27T00:00:00.000Z",
}
TEAM: dict[str, Any] = {
    "id": 5,
    "final_mark": 100,
    "closed_at": "2024-05-02T00:00:00.000Z",
    "users": [{"id": 7, "leader": True, "occurrence": 0}],
}


@pytest.mark.parametrize(
    ("team", "where"),
    [
        ({"final_mark": 100.5}, "teams.final_mark"),
        ({"id": None}, "teams.id"),
        ({"closed_at": "yesterday"}, "teams.closed_at"),
        ({"users": [{"id": 7, "occurrence": "first"}]}, "teams.users.occurrence"),
    ],
)
def test_a_changed_type_in_a_list_fails_by_name_before_a_model_cannot_cast_it(
    team: dict[str, Any], where: str
) -> None:
    rows = [REGISTRATION | {"teams": [TEAM]}, REGISTRATION | {"teams": [TEAM | team]}]
    with pytest.raises(ContractError, match=rf"raw\.projects_users\.{re.escape(where)} failed"):
        to_arrow(TABLES["projects_users"], copy.deepcopy(rows), "/v2/projects_users")


def test_a_time_in_a_list_that_cannot_be_is_kept_as_it_came() -> None:
    odd = "2024-02-30T00:00:00.000Z"
    row = REGISTRATION | {"teams": [TEAM, TEAM | {"closed_at": odd}]}

    table = to_arrow(TABLES["projects_users"], [copy.deepcopy(row)], "/v2/projects_users")

    (teams,) = map(orjson.loads, table.column("teams").to_pylist())
    assert [team["closed_at"] for team in teams] == [TEAM["closed_at"], None]
    (unknown,) = map(orjson.loads, table.column(UNKNOWN_FIELDS).to_pylist())
    assert unknown == {"teams.closed_at": odd}


def test_a_time_in_a_list_of_an_essential_table_that_cannot_be_is_kept_as_it_came() -> None:
    odd = "20240-05-01T00:00:00.000Z"
    sessions = [{"id": 8, "end_at": odd}]
    project = {"id": 1314, "name": "Libft", "slug": "libft", "cursus": [], "campus": []}

    row = {**project, "project_sessions": sessions}
    table = to_arrow(TABLES["projects"], [row], "/v2/cursus/21/projects")

    assert table.column("project_sessions").to_pylist() == ['[{"id":8,"end_at":null}]']
    (unknown,) = map(orjson.loads, table.column(UNKNOWN_FIELDS).to_pylist())
    assert unknown == {"project_sessions.end_at": odd}


def test_a_required_field_that_is_gone_fails_by_name() -> None:
    row = {key: value for key, value in COALITION.items() if key != "name"}
    with pytest.raises(ContractError, match=r"raw\.coalitions\.name.*gone from the payload"):
        to_arrow(TABLES["coalitions"], [row], "/v2/coalitions")


def test_a_field_that_comes_as_a_nested_copy_is_not_missing() -> None:
    def prepare(row: dict[str, Any]) -> None:
        row["cover_url"] = row.pop("cover")["url"]

    coalitions = replace(TABLES["coalitions"], prepare=prepare)
    row = {**COALITION, "cover": {"url": "https://cdn.example/cover.png"}}
    del row["cover_url"], row["image_url"]
    sent = set(row)

    table = to_arrow(coalitions, [row], "/v2/coalitions")

    assert missing_fields(coalitions, sent, table) == ["image_url"]


def test_an_optional_field_that_is_gone_is_null() -> None:
    row = {key: value for key, value in COALITION.items() if key != "cover_url"}
    table = to_arrow(TABLES["coalitions"], [row], "/v2/coalitions")
    assert table.column("cover_url").to_pylist() == [None]


def test_unknown_fields_are_kept() -> None:
    rows = [copy.deepcopy(COALITION), {**COALITION, "id": 2, "mascot": {"name": "owl"}}]
    table = to_arrow(TABLES["coalitions"], rows, "/v2/coalitions")
    assert list(unknown_fields(table)) == ["mascot"]
    kept = table.column("unknown_fields").to_pylist()
    assert kept[0] is None
    assert orjson.loads(kept[1]) == {"mascot": {"name": "owl"}}


def test_offset_timestamps_and_empty_strings_arrive_unchanged() -> None:
    row = {
        "id": 1,
        "user_id": 1,
        "campus_id": 1,
        "is_primary": True,
        "created_at": "2028-11-13T00:00:00.000+01:00",
        "updated_at": "2028-11-12T23:00:00.000Z",
    }
    table = to_arrow(TABLES["campus_users"], [row], "/v2/campus_users")
    assert table.column("created_at") == table.column("updated_at")
    later = {**row, "id": 2, "created_at": None, "updated_at": "2030-01-01T00:00:00.000Z"}
    table = to_arrow(TABLES["campus_users"], [row, later], "/v2/campus_users")
    assert [moment and moment.year for moment in table.column("created_at").to_pylist()] == [
        2028,
        None,
    ]
    assert [moment.year for moment in table.column("updated_at").to_pylist()] == [2028, 2030]
    coalition = {**COALITION, "slug": ""}
    table = to_arrow(TABLES["coalitions"], [coalition], "/v2/coalitions")
    assert table.column("slug").to_pylist() == [""]


def test_nested_copies_become_ids_and_odd_ones_null() -> None:
    base = {"id": 1, "level": 1.0, "updated_at": None, "created_at": None}
    rows: list[dict[str, Any]] = [
        {**base, "user": {"id": 9, "login": "x"}, "cursus": {"id": 21}},
        {**base, "id": 2, "user": None, "cursus_id": 21},
        {**base, "id": 3, "user": "odd", "cursus_id": 21},
    ]
    table = to_arrow(TABLES["cursus_users"], rows, "/v2/cursus_users")
    assert table.column("user_id").to_pylist() == [9, None, None]
    assert table.column("cursus_id").to_pylist() == [21, 21, 21]


def test_the_current_team_is_kept_whole_and_others_are_not() -> None:
    row = {
        "id": 1,
        "user": {"id": 9},
        "project": {"id": 3},
        "status": "finished",
        "updated_at": None,
        "current_team_id": 5,
        "teams": [{"id": 4, "name": "old"}, {"id": 5, "name": "new"}],
    }
    table = to_arrow(TABLES["projects_users"], [row], "/v2/projects_users")
    assert orjson.loads(table.column("current_team").to_pylist()[0]) == {"id": 5, "name": "new"}
    assert table.column("project_id").to_pylist() == [3]
    assert list(unknown_fields(table)) == []


def person(number: int, **fields: Any) -> dict[str, Any]:
    """A row of `users` with what is required."""
    declared = TABLES["users"]
    sample = {"bigint": 1, "text": "x", "bool": False, "double": 1.0, "json": []}
    row = {c.field: sample.get(c.data_type) for c in declared.columns if c.required}
    return {**row, "updated_at": "2025-01-02T03:04:05.678Z", "id": number, **fields}


@pytest.mark.parametrize(
    "impossible",
    [
        "10024-05-27T00:00:00.000+02:00",
        "99999-12-31",
        "0000-01-01T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2023-13-01",
        "9999-12-31T23:59:59.999-05:00",
        "0001-01-01T00:00:00+02:00",
    ],
)
def test_a_time_that_cannot_be_is_null_and_kept_as_sent(impossible: str) -> None:
    rows = [person(1), person(2, anonymize_date=impossible, mascot="owl"), person(3)]
    rows[2]["anonymize_date"] = "9999-12-31T23:59:59.999Z"

    table = to_arrow(TABLES["users"], rows, "/v2/users")

    assert table.column("anonymize_date").is_null().to_pylist() == [True, True, False]
    kept = table.column("unknown_fields").to_pylist()
    assert (kept[0], kept[2]) == (None, None)
    assert orjson.loads(kept[1]) == {"anonymize_date": impossible, "mascot": "owl"}


def test_a_time_that_is_far_ahead_is_kept_as_it_is_in_a_list_too() -> None:
    far_ahead = "2099-05-01T00:00:00.000Z"
    row = REGISTRATION | {"updated_at": far_ahead, "teams": [TEAM | {"updated_at": far_ahead}]}

    table = to_arrow(TABLES["projects_users"], [copy.deepcopy(row)], "/v2/projects_users")

    assert [moment.year for moment in table.column("updated_at").to_pylist()] == [2099]
    ((team,),) = map(orjson.loads, table.column("teams").to_pylist())
    assert team["updated_at"] == far_ahead


@pytest.mark.parametrize("name", ["events", "exams"])
def test_a_time_that_staff_mistyped_stops_no_agenda(name: str) -> None:
    declared = TABLES[name]
    row = {column.field: None for column in declared.columns} | {"id": 1, "campus": {"id": 1}}
    times = {"begin_at": "20240-05-01T00:00:00.000Z", "end_at": "0000-05-01T00:00:00.000Z"}

    table = to_arrow(declared, [row | times], f"/v2/{name}")

    assert table.column("begin_at").null_count == table.column("end_at").null_count == 1
    (unknown,) = map(orjson.loads, table.column(UNKNOWN_FIELDS).to_pylist())
    assert unknown.items() >= times.items()


@pytest.mark.parametrize(
    ("field", "value", "shape"),
    [
        ("updated_at", "10024-05-27", "'99999-99-99'"),
        ("updated_at", "soon, jdoe", "'aaaa, aaaa'"),
        ("anonymize_date", "27/05/2024 é", "'99/99/9999 a'"),
    ],
)
def test_a_time_that_a_rule_needs_or_of_another_form_fails_with_row_and_shape(
    field: str, value: str, shape: str
) -> None:
    with pytest.raises(ContractError) as failure:
        to_arrow(TABLES["users"], [person(1), person(77, **{field: value})], "/v2/users")

    message = str(failure.value)
    assert f"raw.users.{field} failed: /v2/users, field '{field}': the API sent {shape}" in message
    assert "row id 77;" in message
    assert value not in message
