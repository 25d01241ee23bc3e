"""The world lives on: what each action changes, and what it leaves alone."""

from __future__ import annotations

import pytest
import requests

EPOCH = "2026-11-15T00:00:00.000Z"
TABLES = ("users", "cursus_users", "campus_users", "projects_users", "achievements_users",
          "coalitions_users", "projects", "coalitions", "campus")  # fmt: skip
KEPT = {"filter[kind]": "student", "filter[alumni?]": "false"}


def snapshot(server):
    return {name: {row["id"]: row for row in server.rows(name)} for name in TABLES}


def bare(name, row):
    """Return a row without the other resources nested in it, and the time it was updated."""
    nested = {"users": (), "projects": ("campus", "cursus", "children", "parent")}
    left_out = (*nested.get(name, ("user", "cursus", "project", "teams")), "updated_at")
    return {key: value for key, value in row.items() if key not in left_out}


def flat(report, action):
    return {name: set(ids) for name, ids in report[action].items() if ids}


def changed(before, after):
    """Return which ids differ, by table, not counting what is only nested."""
    found = {}
    for name in TABLES:
        ids = {
            row_id
            for row_id in before[name].keys() & after[name].keys()
            if bare(name, before[name][row_id]) != bare(name, after[name][row_id])
            or before[name][row_id].get("updated_at") != after[name][row_id].get("updated_at")
        }
        if ids:
            found[name] = ids
    return found


def test_an_honest_edit_moves_updated_at_past_everything_before(living):
    before = snapshot(living)
    report = living.control("advance", {"edit_with_updated_at": 30})
    after = snapshot(living)
    edited = flat(report, "edit_with_updated_at")
    assert changed(before, after) == edited
    # the rows of team mates change along
    assert 30 <= sum(map(len, edited.values())) < 50
    assert set(edited) >= {"users", "projects", "cursus_users", "projects_users"}
    for name, ids in edited.items():
        moments = [after[name][row_id]["updated_at"] for row_id in ids]
        assert len(set(moments)) == len(moments)
        assert min(moments) > EPOCH
        found = living.every(name, **{"range[updated_at]": f"{EPOCH},2100-01-01"})
        assert {row["id"] for row in found} == ids


def test_a_later_change_has_a_later_stamp(living):
    living.control("advance", {"edit_with_updated_at": 12})
    first = max(row["updated_at"] for row in living.rows("users"))
    living.control("advance", {"edit_with_updated_at": 12})
    second = [row["updated_at"] for row in living.rows("users") if row["updated_at"] > first]
    assert len(second) == 2


def test_a_silent_edit_moves_no_date(living):
    before = snapshot(living)
    report = living.control("advance", {"edit_silently": 25})
    after = snapshot(living)
    edited = flat(report, "edit_silently")
    assert set(edited) == {"users", "cursus_users", "coalitions", "coalitions_users"}
    assert changed(before, after) == edited
    for name, ids in edited.items():
        for row_id in ids:
            assert before[name][row_id].get("updated_at") == after[name][row_id].get("updated_at")
    assert living.every("users", **{"range[updated_at]": f"{EPOCH},2100-01-01"}) == []


def test_a_deleted_user_takes_everything_along(living):
    report = living.control("advance", {"delete_users": 7})
    gone = flat(report, "delete_users")["users"]
    assert len(gone) == 7
    after = snapshot(living)
    assert not gone & after["users"].keys()
    for name in ("cursus_users", "projects_users"):
        assert not gone & {row["user"]["id"] for row in after[name].values()}
    for name in ("campus_users", "achievements_users", "coalitions_users"):
        assert not gone & {row["user_id"] for row in after[name].values()}
    assert living.get(f"users/{gone.pop()}").status_code == 404


@pytest.mark.parametrize("action", ["delete_relations", "recreate_relations"])
def test_relations_go_and_may_come_back_under_a_new_id(living, action):
    before = snapshot(living)
    report = living.control("advance", {action: 12})
    after = snapshot(living)
    for name, ids in report[action].items():
        old = {row_id[0] if isinstance(row_id, list) else row_id for row_id in ids}
        new = {row_id[1] for row_id in ids if isinstance(row_id, list)}
        assert before[name].keys() - after[name].keys() == old
        assert after[name].keys() - before[name].keys() == new
        assert not new or min(new) > max(before[name])
        assert len(living.every(name)) == len(after[name]) == total(living, name)


def total(server, path, **query):
    return int(server.get(path, query={**query, "per_page": 1}).headers["X-Total"])


def test_new_users_arrive_with_rows_everywhere(living):
    report = living.control("advance", {"new_users": 3})
    for user_id in report["new_users"]["users"]:
        detail = living.get(f"users/{user_id}").json()
        assert detail["created_at"] > EPOCH
        assert {row["cursus_id"] for row in detail["cursus_users"]} == {9, 21}
        assert [row["is_primary"] for row in detail["campus_users"]] == [True]
        assert len(detail["projects_users"]) == len(detail["achievements"]) == 1
        campus_id = detail["campus_users"][0]["campus_id"]
        query = {**KEPT, "filter[primary_campus_id]": campus_id}
        assert user_id in {row["id"] for row in living.every("cursus/21/users", **query)}
        assert total(living, "projects_users", **{"filter[user_id]": user_id}) == 1
    everything = {row["id"] for row in living.rows("projects_users")}
    assert set(report["new_users"]["projects_users"]) <= everything


def test_new_relations_are_listed_first_and_found_by_user(living):
    report = living.control("advance", {"new_relations": 9})["new_relations"]
    assert {name: len(ids) for name, ids in report.items()} == {
        "projects_users": 3, "achievements_users": 3, "coalitions_users": 3,
    }  # fmt: skip
    for name, ids in report.items():
        top = living.get(name, per_page=3).json()
        assert {row["id"] for row in top} == set(ids)
        owner = top[0]["user"]["id"] if "user" in top[0] else top[0]["user_id"]
        mine = living.every(name, **{"filter[user_id]": owner})
        assert top[0] in mine


@pytest.mark.parametrize(
    ("action", "table", "left", "query", "stays"),
    [
        ("projects_leave", "projects", "cursus/21/projects", {}, "projects"),
        ("alumnise", "users", "cursus/21/users", KEPT, "cursus/21/users"),
    ],
    ids=["a project", "a graduate"],
)
def test_who_leaves_one_list_stays_in_another(living, action, table, left, query, stays):
    gone = set(living.control("advance", {action: 3})[action][table])
    assert gone
    assert not gone & {row["id"] for row in living.every(left, **query)}
    assert gone <= {row["id"] for row in living.every(stays)}


def test_a_closed_campus_is_inactive_wherever_it_is_nested(living):
    report = living.control("advance", {"close_campuses": 1})
    closed = report["close_campuses"]["campus"][0]
    assert living.get(f"campus/{closed}").json()["active"] is False
    nested = [
        campus
        for row in living.every("projects")
        for campus in row["campus"]
        if campus["id"] == closed
    ]
    assert nested
    assert {campus["active"] for campus in nested} == {False}


def test_an_anonymised_person_leaves_the_lists_but_stays_nested(living):
    report = living.control("advance", {"anonymise": 4})
    gone = set(report["anonymise"]["users"])
    for path in ("users", "cursus/21/users"):
        assert not gone & {row["id"] for row in living.every(path)}
    assert {living.get(f"users/{user_id}").status_code for user_id in gone} == {404}
    query = {"filter[user_id]": ",".join(map(str, gone)), "filter[cursus_id]": "21"}
    nested = [row["user"] for row in living.every("cursus_users", **query)]
    assert {user["id"] for user in nested} == gone
    for user in nested:
        assert user["login"].startswith("3b3")
        assert user["anonymize_date"] < EPOCH


def test_a_transfer_changes_the_primary_campus(living):
    before = {row["id"]: row for row in living.rows("users", fields="id,primary_campus_id")}
    report = living.control("advance", {"transfer": 5})
    after = {row["id"]: row for row in living.rows("users", fields="id,primary_campus_id")}
    moved = set(report["transfer"]["users"])
    assert {row_id for row_id in before if before[row_id] != after[row_id]} == moved
    for user_id in moved:
        rows = living.every(f"users/{user_id}/campus_users")
        primary = [row["campus_id"] for row in rows if row["is_primary"]]
        assert primary == [after[user_id]["primary_campus_id"]]
        assert len(rows) >= 2


def test_the_same_seed_chooses_the_same_rows(living):
    wishes = {"edit_with_updated_at": 12, "delete_users": 3, "new_users": 2, "seed": 5}
    first = living.control("advance", wishes)
    living.control("reset")
    second = living.control("advance", wishes)
    assert {**first, "now": 0} == {**second, "now": 0}


@pytest.mark.parametrize("body", [{"explode": 1}, {"new_users": -1}, {"new_users": "three"}, [1]])
def test_a_wish_that_makes_no_sense_changes_nothing(living, body):
    answer = requests.post(f"{living.url}/_sandbox/advance", json=body, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_totals_stay_exact_after_many_changes(living):
    for _ in range(3):
        living.control(
            "advance",
            {"edit_with_updated_at": 20, "edit_silently": 20, "delete_users": 4, "new_users": 3,
             "delete_relations": 12, "recreate_relations": 12, "new_relations": 12,
             "anonymise": 2, "transfer": 3, "alumnise": 2},
        )  # fmt: skip
    for name in ("users", "cursus_users", "campus_users", "projects_users", "achievements_users",
                 "coalitions_users"):  # fmt: skip
        rows = living.every(name)
        assert len(rows) == len({row["id"] for row in rows}) == total(living, name)
    body = requests.get(f"{living.url}/_sandbox/health", timeout=10).json()
    for name, count in body["rows"].items():
        assert count == total(living, name)
