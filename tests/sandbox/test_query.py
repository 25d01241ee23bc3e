"""Sort, filter, range, search."""

from __future__ import annotations

import pytest

EPOCH = "2026-11-15T00:00:00.000Z"


def ids(rows):
    return [row["id"] for row in rows]


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("campus", ["-id"]),
        ("cursus", ["-id"]),
        ("users", ["-id"]),
        ("cursus/21/users", ["-id"]),
        ("project_sessions", ["-id"]),
        ("achievements", ["id"]),
        ("achievements_users", ["-id"]),
        ("projects_users", ["-updated_at", "-id"]),
        ("cursus_users", ["-created_at", "-id"]),
        ("campus_users", ["-created_at", "-id"]),
        ("coalitions_users", ["-created_at", "-id"]),
        ("blocs", ["-created_at", "-id"]),
        ("locations", ["-begin_at", "-id"]),
        ("scale_teams", ["-begin_at", "-id"]),
    ],
)
def test_lists_come_in_the_order_of_the_real_api(api, path, order):
    rows = api.every(path, size=30)
    expected = list(rows)
    for name in reversed(order):
        expected.sort(key=lambda row: row[name.lstrip("-")], reverse=name.startswith("-"))
    assert ids(rows) == ids(expected)


def test_projects_come_by_a_position_that_is_not_shown(api):
    rows = api.every("cursus/21/projects")
    assert ids(rows) != sorted(ids(rows))


def test_a_sort_of_several_fields_is_applied_in_turn(api):
    rows = api.every("users", sort="kind,-login")
    pairs = [(row["kind"], row["login"]) for row in rows]
    assert pairs == sorted(sorted(pairs, reverse=True), key=lambda pair: pair[0])


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("coalitions", "score"), ("users", "wallet"), ("titles_users", "id"), ("groups", "name"),
        ("coalitions_users", "rank"), ("cursus", "nothing"),
    ],
)  # fmt: skip
def test_sorting_by_what_is_not_sortable_is_refused(api, path, field):
    answer = api.get(path, sort=f"-{field}")
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "Sort Error",
        "message": f"The {field} field is not sortable",
    }


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("users", "campus_id"), ("users", "cursus_id"), ("cursus/21/users", "wallet"),
        ("titles_users", "user_id"), ("groups_users", "user_id"), ("coalitions", "name"),
        ("projects_users", "campus_id"), ("achievements", "campus_id"),
    ],
)  # fmt: skip
def test_filtering_by_what_does_not_exist_is_refused(api, path, field):
    answer = api.get(path, query={f"filter[{field}]": "1"})
    assert answer.status_code == 400
    assert answer.json()["error"] == "Filter Error"
    assert answer.json()["message"].startswith(f"Attributes {field} doesn't exists. You can only")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("coalitions", "id"), ("blocs", "updated_at"), ("locations", "updated_at"),
        ("titles", "id"), ("users", "first_name"),
    ],
)  # fmt: skip
def test_a_range_where_none_is_supported_is_refused(api, path, field):
    answer = api.get(path, query={f"range[{field}]": "1,2"})
    assert answer.status_code == 400
    assert answer.json()["error"] == "Range Error"


def test_commas_in_a_filter_mean_or(api):
    some = ids(api.get("users").json())[:5]
    answer = api.get("users", query={"filter[id]": ",".join(map(str, some))})
    assert ids(answer.json()) == some


@pytest.mark.parametrize("text", ["filter[kind]=student", "filter%5Bkind%5D=student"])
def test_brackets_may_be_raw_or_encoded(api, text):
    answer = api.session.get(f"{api.url}/v2/users?{text}", timeout=10)
    assert answer.headers["X-Total"] == str(len(api.every("users", **{"filter[kind]": "student"})))


@pytest.mark.parametrize(
    ("field", "value"),
    [("staff?", True), ("staff?", False), ("alumni?", True), ("alumni?", False)],
)
def test_questions_are_filtered_with_true_and_false(api, field, value):
    rows = api.every("users", **{f"filter[{field}]": str(value).lower()})
    assert rows
    assert {row[field] for row in rows} == {value}


def test_an_empty_filter_is_no_filter(api):
    everyone = api.get("users").headers["X-Total"]
    assert api.get("users", query={"filter[id]": ""}).headers["X-Total"] == everyone
    assert api.get("users", query={"filter[login]": ",,"}).headers["X-Total"] == everyone


def test_a_plain_parameter_nobody_knows_is_ignored(api):
    everyone = api.get("users").headers["X-Total"]
    assert api.get("users", active="true").headers["X-Total"] == everyone


def test_a_hundred_values_are_served_and_one_more_is_a_bad_gateway(api):
    hundred = ids(api.every("users"))[:100]
    query = {"filter[user_id]": ",".join(map(str, hundred))}
    assert api.get("projects_users", query=query).status_code == 200
    query["filter[user_id]"] += ",7"
    answer = api.get("projects_users", query=query)
    assert answer.status_code == 502
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_hundred_people_have_more_than_a_page_of_rows(api):
    hundred = ids(api.every("users"))[:100]
    query = {"filter[user_id]": ",".join(map(str, hundred))}
    for resource in ("projects_users", "achievements_users", "coalitions_users", "cursus_users"):
        rows = api.every(resource, **query)
        assert len(rows) == int(api.get(resource, query=query).headers["X-Total"]) > 100
        owners = {row["user"]["id"] if "user" in row else row["user_id"] for row in rows}
        assert owners <= set(hundred)
        assert len(set(ids(rows))) == len(rows)


@pytest.mark.parametrize(
    "resource",
    ["users", "cursus_users", "projects_users", "achievements_users", "coalitions_users",
     "campus_users", "projects", "project_sessions"],
)  # fmt: skip
def test_a_range_of_updates_is_exact_and_includes_both_ends(api, resource):
    rows = api.every(resource)
    moments = sorted(row["updated_at"] for row in rows)
    low, high = moments[len(moments) // 3], moments[len(moments) * 2 // 3]
    found = api.every(resource, **{"range[updated_at]": f"{low},{high}"})
    expected = [row for row in rows if low <= row["updated_at"] <= high]
    assert sorted(ids(found)) == sorted(ids(expected))
    assert 0 < len(found) < len(rows)


def test_a_range_works_on_numbers_too(api):
    rows = api.every("projects_users", **{"range[final_mark]": "50,100"})
    assert rows
    assert all(50 <= row["final_mark"] <= 100 for row in rows)


@pytest.mark.parametrize("text", ["2026-01-01", f"{EPOCH},", "1,2,3", f",{EPOCH}"])
def test_a_range_needs_both_bounds(api, text):
    assert api.get("users", query={"range[updated_at]": text}).status_code == 400


def test_a_date_that_is_none_cannot_be_compared(api):
    answer = api.get("cursus_users", query={"filter[end_at]": "nil"})
    assert answer.status_code == 422


def test_the_parent_in_the_path_is_the_plain_parameter(api):
    user = api.get("users", query={"filter[kind]": "student"}).json()[3]
    for resource in ("projects_users", "cursus_users", "campus_users", "coalitions_users"):
        nested = api.every(f"users/{user['id']}/{resource}")
        assert nested == api.every(resource, user_id=user["id"])
        assert nested == api.every(f"users/{user['login']}/{resource}")


def test_there_is_no_list_of_achievements_users_under_a_user(api):
    user = api.get("users").json()[0]
    answer = api.get(f"users/{user['id']}/achievements_users")
    assert (answer.status_code, answer.text) == (404, "{}")


def test_the_campus_filter_of_cursus_users_means_the_primary_campus(api):
    users = {row["id"]: row for row in api.rows("users", fields="id,primary_campus_id")}
    campus_id = next(iter(users.values()))["primary_campus_id"]
    rows = api.every("cursus/21/cursus_users", **{"filter[campus_id]": campus_id})
    assert rows
    assert {users[row["user"]["id"]]["primary_campus_id"] for row in rows} == {campus_id}


def test_the_cursus_filter_of_projects_users_lets_other_cursus_through(api):
    rows = api.every("projects_users", **{"filter[cursus]": "21"})
    assert any(21 not in row["cursus_ids"] for row in rows)


def test_users_can_be_searched(api):
    user = api.get("users").json()[0]
    assert user["id"] in ids(api.every("users", search=user["login"]))


def test_projects_users_answer_a_sort_that_nobody_documented(api):
    rows = api.every("projects_users", sort="-marked_at", **{"filter[marked]": "true"})
    moments = [row["marked_at"] for row in rows]
    assert moments == sorted(moments, reverse=True)


def test_projects_users_of_one_project_are_that_project_only(api):
    project_id = api.get("cursus/21/projects").json()[0]["id"]
    rows = api.every(f"projects/{project_id}/projects_users")
    assert rows
    assert {row["project"]["id"] for row in rows} == {project_id}
    assert ids(rows) == ids(api.every("projects_users", **{"filter[project_id]": project_id}))
