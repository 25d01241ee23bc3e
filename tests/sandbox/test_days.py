"""The day at 42: seats, evaluations, events, milestones, teams that form and part."""

from __future__ import annotations

import pytest

EPOCH = "2026-11-15T00:00:00.000Z"
LATER = {"range[updated_at]": f"{EPOCH},2100-01-01"}


def by_id(server, name):
    return {row["id"]: row for row in server.rows(name)}


def every(server, path, **query):
    return server.every(path, size=30 if "scale_teams" in path else 100, **query)


@pytest.mark.parametrize(
    "name",
    ["locations", "scale_teams", "quests_users", "events", "events_users", "exams", "teams",
     "teams_users"],
)  # fmt: skip
def test_the_list_is_the_truth_in_its_default_order(living, name):
    living.control(
        "advance",
        {"open_sessions": 5, "delete_sessions": 4, "book_evaluations": 5, "cancel_evaluations": 2,
         "sign_up": 5, "cancel_sign_up": 2, "start_quests": 4, "form_teams": 3, "leave_teams": 2,
         "retry_teams": 3, "delete_users": 4, "new_events": 2},
    )  # fmt: skip
    listed, truth = every(living, name), living.rows(name)
    assert {row["id"] for row in listed} == {row["id"] for row in truth}
    assert len(listed) == len(truth)
    orders = {"teams": "id", "teams_users": "id", "quests_users": "id", "events_users": "id"}
    keys = [row[orders.get(name, "begin_at")] for row in listed]
    if name != "events_users":  # in the order of a date that is not shown
        assert keys == sorted(keys, reverse=name != "teams")
    assert living.get(f"{name}/{listed[0]['id']}").status_code == (
        404 if name == "locations" else 200
    )


def test_open_sessions_are_found_by_what_they_lack_and_closed_ones_by_their_end(living):
    truth = by_id(living, "locations")
    still = {key for key, row in truth.items() if row["end_at"] is None}
    assert len(still) > 2
    assert min(truth[key]["begin_at"] for key in still) < "2026-11-01"  # nobody closed it
    for query in ({"filter[active]": "true"}, {"filter[end]": "false"}):
        assert {row["id"] for row in every(living, "locations", **query)} == still
    living.control("clock", {"advance_seconds": 3600})
    opened = living.control("advance", {"open_sessions": 6})["open_sessions"]["locations"]
    report = living.control("advance", {"close_sessions": 4, "delete_sessions": 4})
    closed = set(report["close_sessions"]["locations"])
    gone = set(report["delete_sessions"]["locations"])
    since = {"range[end_at]": f"{EPOCH},2100-01-01", "filter[end]": "true"}
    assert {row["id"] for row in every(living, "locations", **since)} == closed
    begun = every(living, "locations", **{"range[begin_at]": f"{EPOCH},2100-01-01"})
    assert {row["id"] for row in begun} == set(opened) - gone
    ids = ",".join(map(str, [*closed, *gone]))
    assert {row["id"] for row in every(living, "locations", **{"filter[id]": ids})} == closed
    campus = truth[next(iter(still))]["campus_id"]
    there = every(living, f"campus/{campus}/locations")
    now = by_id(living, "locations").values()
    assert {row["id"] for row in there} == {r["id"] for r in now if r["campus_id"] == campus}


def test_people_of_an_evaluation_are_shown_a_quarter_of_an_hour_before(living):
    booked = living.control("advance", {"book_evaluations": 6})["book_evaluations"]["scale_teams"]
    query = {"filter[id]": ",".join(map(str, booked))}
    before = every(living, "scale_teams", **query)
    assert all(row["corrector"] == "invisible" for row in before)
    assert any(row["correcteds"] == "invisible" for row in before)
    future = every(living, "scale_teams", **{"filter[future]": "true"})
    assert set(booked) <= {row["id"] for row in future}
    living.control("clock", {"advance_seconds": 86_400 * 2})
    living.authorize()
    after = every(living, "scale_teams", **query)
    assert all(isinstance(row["corrector"], dict) for row in after)
    assert all(row["correcteds"][0]["login"] for row in after)
    assert [row["updated_at"] for row in after] == [row["updated_at"] for row in before]


def test_an_evaluation_is_held_missed_or_cancelled(living):
    living.control("advance", {"book_evaluations": 30})
    report = living.control(
        "advance", {"hold_evaluations": 4, "miss_evaluations": 3, "cancel_evaluations": 2}
    )
    held = report["hold_evaluations"]["scale_teams"]
    missed = report["miss_evaluations"]["scale_teams"]
    rows = by_id(living, "scale_teams")
    assert all(rows[key]["filled_at"] and rows[key]["final_mark"] is not None for key in held)
    assert all(rows[key]["truant"]["id"] and rows[key]["filled_at"] is None for key in missed)
    assert not set(report["cancel_evaluations"]["scale_teams"]) & rows.keys()
    changed = every(living, "scale_teams", **LATER)
    assert {*held, *missed} <= {row["id"] for row in changed}


def test_nobody_evaluates_some_teams_and_somebody_the_others(api):
    rows = api.rows("scale_teams")
    assert any(row["corrector"] == {} for row in rows)
    assert any(len(row["correcteds"]) > 1 for row in rows if row["correcteds"] != "invisible")
    assert any(row["truant"] for row in rows)
    for row in rows:
        if row["correcteds"] != "invisible":
            members = {member["id"] for member in row["team"]["users"]}
            assert {person["id"] for person in row["correcteds"]} <= members
    one = next(row for row in rows if isinstance(row["corrector"], dict) and row["corrector"])
    given = every(api, f"users/{one['corrector']['login']}/scale_teams/as_corrector")
    assert one["id"] in {row["id"] for row in given}


def test_a_large_page_of_evaluations_takes_too_long(api):
    assert api.get("scale_teams", query={"page[size]": 31}).status_code == 504
    assert len(api.get("scale_teams", query={"page[size]": 30}).json()) == 30


def test_a_sign_up_that_is_cancelled_leaves_no_trace(living):
    signed = living.control("advance", {"sign_up": 8})["sign_up"]["events_users"]
    before = by_id(living, "events_users")
    events = by_id(living, "events")
    gone = living.control("advance", {"cancel_sign_up": 3})["cancel_sign_up"]["events_users"]
    after = by_id(living, "events_users")
    assert before.keys() - after.keys() == set(gone)
    assert by_id(living, "events") == events
    event = before[signed[0]]["event_id"]
    listed = every(living, "events_users", **{"filter[event_id]": event})
    assert {r["id"] for r in listed} == {r["id"] for r in after.values() if r["event_id"] == event}
    # documented, and without effect
    campus = every(living, "events_users", **{"filter[campus_id]": 1})
    assert len(campus) == len(after)


def test_events_come_and_are_put_off(living):
    before = by_id(living, "events")
    assert any(row["begin_at"] > EPOCH for row in before.values())
    report = living.control("advance", {"new_events": 2, "edit_events": 2})
    new, edited = (set(report[name]["events"]) for name in ("new_events", "edit_events"))
    assert {row["id"] for row in every(living, "events", **LATER)} == new | edited
    for key in edited - new:
        assert by_id(living, "events")[key]["begin_at"] > before[key]["begin_at"]
    campus = before[30_000]["campus_ids"][0]
    assert 30_000 in {row["id"] for row in every(living, f"campus/{campus}/events")}


def test_an_exam_comes_once_for_each_project_when_a_range_is_asked_for(api):
    exams = every(api, "exams")
    assert len({row["id"] for row in exams}) == len(exams)
    ranged = every(api, "exams", **{"range[begin_at]": "2020-01-01,2100-01-01"})
    assert len(ranged) == sum(len(row["projects"]) for row in exams) > len(exams)


def test_quests_are_read_nested_only(living):
    assert living.get("quests").status_code == 403
    report = living.control("advance", {"start_quests": 3, "validate_quests": 3})
    started, done = (report[name]["quests_users"] for name in ("start_quests", "validate_quests"))
    changed = {row["id"]: row for row in every(living, "quests_users", **LATER)}
    assert changed.keys() == {*started, *done}
    assert all(changed[key]["validated_at"] for key in done)
    quest = changed[done[0]]["quest_id"]
    assert all(row["quest"]["id"] == quest for row in every(living, f"quests/{quest}/quests_users"))


def test_teams_form_are_left_and_try_again(living):
    before = by_id(living, "projects_users")
    report = living.control(
        "advance", {"form_teams": 3, "leave_teams": 3, "retry_teams": 3, "give_up_teams": 3}
    )
    after = by_id(living, "projects_users")
    formed, left, retried, gave_up = (
        report[name]["projects_users"]
        for name in ("form_teams", "leave_teams", "retry_teams", "give_up_teams")
    )
    teams = {after[key]["current_team_id"] for key in formed}
    assert len(formed) >= 2 * len(teams) == 6
    gone = set(left) - after.keys()
    assert len(gone) == 3
    for key in set(left) & after.keys():
        lost = before[key]["current_team_id"]
        assert lost not in {team["id"] for team in after[key]["teams"]}
        assert living.get(f"teams/{lost}").status_code == 404
    for key in retried:
        assert len(after[key]["teams"]) == len(before[key]["teams"]) + 1
        assert after[key]["teams"][:-1] == before[key]["teams"]
    for key in gave_up:
        assert after[key]["status"] == "finished"
        assert after[key]["updated_at"] == before[key]["updated_at"]
    moved = {row["id"] for row in living.every("projects_users", **LATER)}
    assert moved == {*formed, *left, *retried} - gone


def test_people_who_moved_keep_the_campus_they_left(living):
    living.control("advance", {"transfer": 4})
    others = living.every("campus_users", **{"filter[is_primary]": "false", **LATER})
    assert len(others) >= 4


@pytest.mark.slow
def test_a_whole_network_serves_a_day(network_server):
    rows = network_server.session.get(f"{network_server.url}/_sandbox/health", timeout=30).json()
    assert rows["rows"]["locations"] > 900_000
    assert rows["rows"]["scale_teams"] > 400_000
    day = "2026-11-14T00:00:00Z,2026-11-16"
    for path, query in {
        "locations": {"range[begin_at]": day},
        "scale_teams": {"range[updated_at]": day, "page[size]": 30},
        "quests_users": {"range[updated_at]": day},
        "events": {"range[updated_at]": day},
    }.items():
        answer = network_server.get(path, query=query)
        assert answer.status_code == 200
        assert int(answer.headers["X-Total"]) > 0
