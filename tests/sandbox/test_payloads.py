"""Payloads: fields, order, types, and the values that break naive readers."""

from __future__ import annotations

import pytest

from .shapes import complaints


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("campus", "campus"),
        ("cursus", "cursus"),
        ("cursus/21/users", "user"),
        ("users", "user"),
        ("projects", "project"),
        ("achievements", "achievement"),
        ("coalitions", "coalition"),
        ("blocs", "bloc"),
        ("cursus_users", "cursus_user"),
        ("campus_users", "campus_user"),
        ("coalitions_users", "coalitions_user"),
        ("projects_users", "projects_user"),
        ("achievements_users", "achievements_user"),
        ("titles", "title"),
        ("titles_users", "titles_user"),
        ("groups", "group"),
        ("groups_users", "groups_user"),
        ("roles", "role"),
        ("locations", "location"),
        ("teams", "listed_team"),
        ("events", "event"),
        ("events_users", "events_user"),
        ("exams", "exam"),
        ("project_sessions", "project_session"),
        ("quests_users", "quests_user"),
        ("scale_teams", "scale_team"),
        ("teams_users", "teams_user"),
    ],
)
def test_every_row_has_its_fields_with_their_types(api, path, shape):
    if path == "roles":
        rows = api.get(path).json()
    else:
        rows = api.every(path, size=30 if path == "scale_teams" else 100)
    assert rows
    assert [one for row in rows for one in complaints(row, shape)][:10] == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"projects_user_id": None}, "member.projects_user_id is None, not int"),
        ({"leader": "yes"}, "member.leader is 'yes', not bool"),
    ],
)
def test_what_no_client_would_take_is_complained_of(api, change, complaint):
    team = api.get("teams", per_page=1).json()[0]
    assert complaints({**team["users"][0], **change}, "member") == [complaint]
    lost = complaints({**team, "status": "lost"}, "listed_team")
    assert lost == ["listed_team.status is 'lost', not team_status"]
    assert "fields" in complaints({**team, "new": 1}, "listed_team")[0]
    assert "evaluation.feedback is missing" in complaints({}, "evaluation")


def test_a_user_in_detail_has_everything_around_them(api):
    for user in api.get("users", per_page=40).json():
        detail = api.get(f"users/{user['login']}").json()
        assert complaints(detail, "user_detail") == []
        assert {key: detail[key] for key in user} == user


@pytest.mark.parametrize(
    "path",
    ["campus", "cursus", "achievements", "coalitions", "blocs", "cursus_users", "campus_users",
     "projects_users", "achievements_users", "coalitions_users", "project_sessions", "titles",
     "titles_users", "groups", "scale_teams", "teams"],
)  # fmt: skip
def test_a_row_alone_is_the_row_of_the_list(api, path):
    row = api.get(path).json()[0]
    assert api.get(f"{path}/{row['id']}").json() == row


def test_a_project_and_a_cursus_answer_to_their_slug(api):
    project = api.get("cursus/21/projects").json()[0]
    assert api.get(f"projects/{project['slug']}").json()["id"] == project["id"]
    assert api.get("cursus/42cursus").json()["id"] == 21


def test_sessions_listed_alone_carry_their_project_campus_and_cursus(api):
    for session in api.every("project_sessions"):
        assert session["project"]["id"] == session["project_id"]
        assert (session["campus"] is None) == (session["campus_id"] is None)
        assert session["evaluations"] and session["project_sessions_rules"] == []


def test_the_awkward_values_are_all_there(api):
    users = api.every("cursus/21/users", **{"filter[kind]": "student"})
    wallets = {user["wallet"] for user in users}
    assert {827_942_872, -19_100} <= wallets
    assert any(user["pool_month"] is None and user["pool_year"] is None for user in users)
    assert {None, ""} <= {user["usual_first_name"] for user in users}
    assert any(user["image"]["link"] is None for user in users)
    assert any(user["last_name"] == "" for user in users)
    assert any('"' in user["first_name"] and "\\" in user["first_name"] for user in users)
    assert any("\n" in user["last_name"] and "\t" in user["last_name"] for user in users)
    assert any("🦆" in user["first_name"] for user in users)
    assert any(not user["first_name"].isascii() for user in users)
    assert any(user["anonymize_date"] is None for user in users)
    offsets = {user["anonymize_date"][-6:] for user in users if user["anonymize_date"]}
    assert offsets == {"+01:00", "+02:00"}


def test_teams_listed_alone_are_those_of_the_projects_users(api):
    user = api.get("users", query={"filter[kind]": "student"}).json()[5]
    mine = api.every(f"users/{user['id']}/projects_users")
    nested = sorted(team["id"] for row in mine for team in row["teams"])
    assert [team["id"] for team in api.every(f"users/{user['login']}/teams")] == nested
    for team_id in nested[:3]:
        members = api.get(f"teams/{team_id}").json()["users"]
        assert user["id"] in {member["id"] for member in members}


def test_levels_have_long_decimals_and_black_holes_span_ten_years(api):
    rows = api.every("cursus/21/cursus_users")
    assert any(len(str(row["level"])) > 10 for row in rows)
    years = {row["blackholed_at"][:4] for row in rows if row["blackholed_at"]}
    assert {"2019", "2029"} <= years
    assert any(row["blackholed_at"] is None for row in rows)


def test_projects_users_come_in_every_state(api):
    rows = api.every("projects_users")
    assert {row["status"] for row in rows} >= {
        "finished", "in_progress", "waiting_for_correction", "creating_group",
        "searching_a_group", "parent",
    }  # fmt: skip
    assert any(row["final_mark"] is None and row["validated?"] is None for row in rows)
    assert any(row["final_mark"] == -42 for row in rows)
    assert any(len(row["teams"]) == 2 and row["occurrence"] == 1 for row in rows)
    assert any(21 not in row["cursus_ids"] for row in rows)
    for row in rows:
        teams = [team["id"] for team in row["teams"]]
        assert row["current_team_id"] == (teams[-1] if teams else None)


def test_references_dangle_as_they_do_in_the_real_api(api):
    coalitions = {row["id"] for row in api.every("coalitions")}
    assert {row["coalition_id"] for row in api.every("coalitions_users")} - coalitions
    listed = {row["id"] for row in api.every("cursus/21/projects")}
    parents = [row["parent"] for row in api.every("cursus/21/projects") if row["parent"]]
    assert any(parent["id"] not in listed for parent in parents)
    campuses = {row["id"] for row in api.every("campus")}
    nested = {campus["id"] for row in api.every("cursus/21/projects") for campus in row["campus"]}
    assert nested - campuses


def test_some_people_are_twice_in_one_coalition(api):
    pairs = [(row["user_id"], row["coalition_id"]) for row in api.every("coalitions_users")]
    assert len(set(pairs)) < len(pairs)


def test_nothing_is_younger_than_the_epoch(api):
    for path in ("users", "cursus_users", "projects_users", "achievements_users", "projects",
                 "coalitions_users", "campus_users", "project_sessions"):  # fmt: skip
        for row in api.every(path):
            assert row["created_at"] <= row["updated_at"] < "2026-11-15T00:00:00.000Z"
