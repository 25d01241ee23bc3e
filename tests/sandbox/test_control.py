"""The control endpoints: record, truth, clock."""

from __future__ import annotations

import requests

from sandbox.api.calls import _busiest


def test_health_tells_what_is_running(api):
    body = requests.get(f"{api.url}/_sandbox/health", timeout=10).json()
    assert body["status"] == "ok"
    assert (body["scale"], body["limits"], body["seed"]) == ("small", "fast", 42)
    assert body["rows"]["users"] == int(api.get("users").headers["X-Total"])


def test_calls_are_counted_by_route_and_status(api):
    api.clear()
    for user in api.get("users").json()[:3]:
        api.get(f"users/{user['id']}")
    api.get("users", query={"filter[wallet]": "1"})
    api.get("nowhere")
    found = api.calls()
    assert found["paths"] == {"/v2/users": 2, "/v2/users/:id": 3, "/v2/nowhere": 1}
    assert found["statuses"] == {"200": 4, "400": 1, "404": 1}
    assert found["by_path_and_status"]["/v2/users 400"] == 1
    assert 1 <= found["max_in_1s"] <= found["max_in_1h"] == 6
    assert found["first"] <= found["last"]


def test_token_requests_are_counted_but_not_as_limited_ones(api):
    api.clear()
    api.token()
    found = api.calls()
    assert (found["total"], found["limited"]) == (1, 0)
    assert found["paths"] == {"/oauth/token": 1}


def test_the_last_calls_can_be_read_one_by_one(api):
    api.clear()
    api.get("users", page=2)
    log = requests.get(f"{api.url}/_sandbox/calls?log=1", timeout=10).json()["log"]
    assert log[0]["target"] == "/v2/users?page=2"
    assert (log[0]["method"], log[0]["status"]) == ("GET", "200")


def test_the_busiest_window_slides():
    assert _busiest([], 1.0) == 0
    assert _busiest([0.0, 0.6, 1.2, 1.5], 1.0) == 3
    assert _busiest([0.0, 1.0], 1.0) == 1


def test_rows_are_what_the_lists_serve(api):
    for name in ("users", "cursus", "projects", "coalitions_users", "projects_users", "blocs"):
        listed = {row["id"]: row for row in api.every(name)}
        assert {row["id"]: row for row in api.rows(name)} == listed


def test_rows_show_the_unlisted_too_and_columns_that_payloads_hide(api):
    everything, listed = api.rows("campus"), api.rows("campus", listed="true")
    assert len(everything) > len(listed) == len(api.every("campus"))
    row = api.rows("users", fields="id,primary_campus_id")[0]
    assert set(row) == {"id", "primary_campus_id"}
    filtered = api.rows("users", **{"filter[kind]": "admin"})
    assert {row["kind"] for row in filtered} == {"admin"}


def test_the_clock_only_goes_forward(living):
    moved = living.control("clock", {"now": "2026-12-01T00:00:00.000Z"})
    assert moved["now"].startswith("2026-12-01T00:00:00")
    answer = requests.post(f"{living.url}/_sandbox/clock", json={"advance_seconds": -1}, timeout=10)
    assert answer.status_code == 400


def test_reset_brings_everything_back(living):
    before = living.every("users")
    living.control("advance", {"delete_users": 5, "new_users": 5, "edit_silently": 5})
    assert living.every("users") != before
    living.control("reset")
    assert living.get("users").status_code == 401
    living.authorize()
    assert living.every("users") == before
