"""Teams: one to five people whose rows carry the same team."""

from __future__ import annotations

from collections import Counter

import pytest

EPOCH = "2026-11-15T00:00:00.000Z"


def teams_by_id(rows):
    """Every copy of each team, with the row that carries it."""
    found = {}
    for row in rows:
        for team in row["teams"]:
            found.setdefault(team["id"], []).append((row, team))
    return found


def check_shared(rows):
    """Each copy of a team is the same, and those who carry it are its members."""
    everybody = {row["id"]: row for row in rows}
    for copies in teams_by_id(rows).values():
        team = copies[0][1]
        assert [copy for _, copy in copies if copy != team] == []
        carriers = {row["id"] for row, _ in copies}
        members = {member["projects_user_id"]: member for member in team["users"]}
        assert carriers == members.keys() & everybody.keys()
        assert [member["leader"] for member in team["users"]].count(True) == 1
        for row, _ in copies:
            assert members[row["id"]]["id"] == row["user"]["id"]
            assert team["project_id"] == row["project"]["id"]
            assert team["created_at"] <= team["updated_at"]
        assert team["closed_at"] is None or team["created_at"] <= team["closed_at"]


def test_each_member_carries_the_same_team_of_one_to_five_people(api):
    rows = api.every("projects_users")
    check_shared(rows)
    sizes = Counter(len(copies[0][1]["users"]) for copies in teams_by_id(rows).values())
    assert sizes.keys() == {1, 2, 3, 4, 5}
    assert sizes[1] > sum(sizes.values()) / 3
    shared = [c for copies in teams_by_id(rows).values() if len(copies) > 1 for c in copies]
    assert {row["status"] for row, _ in shared} >= {"finished", "in_progress", "creating_group"}
    assert any(len(row["teams"]) > 1 for row, _ in shared)
    homes = {
        row["id"]: row["primary_campus_id"]
        for row in api.rows("users", fields="id,primary_campus_id")
    }
    for _, team in shared:
        assert len({homes[member["id"]] for member in team["users"]}) == 1
        assert len({member["id"] for member in team["users"]}) == len(team["users"])
        assert team["users"][0]["login"] in team["repo_uuid"]


def test_a_marked_team_changes_the_rows_of_all_its_members(living):
    before = {row["id"]: row for row in living.rows("projects_users")}
    report = living.control("advance", {"edit_with_updated_at": 60})["edit_with_updated_at"]
    after = living.rows("projects_users")
    check_shared(after)
    changed = {row["id"]: row for row in after if row["teams"] != before[row["id"]]["teams"]}
    assert changed.keys() == set(report["projects_users"])
    assert any(len(row["teams"][-1]["users"]) > 1 for row in changed.values())
    for row in changed.values():
        assert row["updated_at"] > before[row["id"]]["updated_at"]
        assert row["teams"][-1]["final_mark"] == row["final_mark"]


def test_who_left_a_team_is_still_named_in_it(living):
    before = living.rows("projects_users")
    living.control(
        "advance", {"delete_users": 20, "delete_relations": 60, "recreate_relations": 60}
    )
    after = living.rows("projects_users")
    check_shared(after)
    known = {team: copies[0][1] for team, copies in teams_by_id(before).items()}
    left = {team: copies[0][1] for team, copies in teams_by_id(after).items()}
    assert {team: left[team] for team in known.keys() & left.keys()} == {
        team: known[team] for team in known.keys() & left.keys()
    }
    there = {row["id"] for row in after}
    gone = [
        m for team in left.values() for m in team["users"] if m["projects_user_id"] not in there
    ]
    assert gone


def test_teams_are_listed_once_whoever_is_left_in_them(living):
    living.control("advance", {"delete_users": 20, "recreate_relations": 30, "new_users": 2})
    nested = {
        team: copies[0][1] for team, copies in teams_by_id(living.rows("projects_users")).items()
    }
    alone = {"scale_teams", "teams_uploads"}
    for listed in (living.every("teams"), living.rows("teams")):
        assert len(listed) == len(nested)
        bare = {row["id"]: {k: v for k, v in row.items() if k not in alone} for row in listed}
        assert bare == nested
    for team_id in list(nested)[:20]:
        assert living.get(f"teams/{team_id}").json()["id"] == team_id


@pytest.mark.parametrize("field", ["status", "closed_at", "terminating_at", "deadline_at"])
def test_teams_are_sorted_and_filtered_by_each_documented_column(api, field):
    for query in (f"sort=-{field}", f"filter[{field}]={EPOCH}", f"range[{field}]={EPOCH},{EPOCH}"):
        assert api.get(f"teams?{query}").status_code == 200, query


def test_teams_are_filtered_by_campus_cursus_and_state(api):
    homes = {
        str(row["id"]): row["primary_campus_id"]
        for row in api.rows("users", fields="id,primary_campus_id")
    }
    found = api.every("teams", **{"filter[campus]": 1})
    assert found
    assert all(any(homes[str(m["id"])] == 1 for m in team["users"]) for team in found)
    total = {
        name: api.get(f"teams?filter[{name}]={value}").headers["X-Total"]
        for name, value in {"cursus": 21, "active_cursus": 21, "deadline": "true",
                            "terminating": "true"}.items()
    }  # fmt: skip
    assert total["active_cursus"] == total["cursus"] != "0"
    assert total["deadline"] == total["terminating"] == "0"


@pytest.mark.slow
def test_teams_of_a_network_are_shared_too(network_server):
    users = network_server.get("cursus/21/users", per_page=100).json()
    inside = {user["id"] for user in users}
    people, rows = set(inside), []
    for _ in range(2):
        for first in range(0, len(people), 100):
            some = ",".join(map(str, sorted(people)[first : first + 100]))
            rows += network_server.every("projects_users", **{"filter[user_id]": some})
        people = {m["id"] for row in rows for team in row["teams"] for m in team["users"]} - inside
    rows = list({row["id"]: row for row in rows}.values())
    full = [c for c in teams_by_id(rows).values() if c[0][0]["user"]["id"] in inside]
    assert Counter(len(copies) for copies in full).keys() == {1, 2, 3, 4, 5}
