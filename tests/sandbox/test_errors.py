"""Answers that are not data."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest


def test_a_row_that_does_not_exist_is_an_html_page(api):
    for path in (
        "users/999999999",
        "projects/999999999",
        "achievements/nobody",
        "cursus/999/users",
    ):
        answer = api.get(path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["me", "locations/9000", "no/such/route", "topics"])
def test_a_route_hidden_from_the_application_is_an_empty_object(api, path):
    answer = api.get(path)
    assert (answer.status_code, answer.text) == (404, "{}")


def test_routes_of_other_roles_are_denied(api):
    answer = api.get("levels")
    assert answer.status_code == 403
    assert answer.json()["error"] == "Access Denied"


def test_a_hidden_project_is_listed_but_denied_by_id(api):
    statuses = {api.get(f"projects/{row['id']}").status_code for row in api.every("projects")}
    assert statuses == {200, 403}


def test_writing_needs_a_scope(api):
    answer = api.session.post(f"{api.url}/v2/projects_users", json={}, timeout=10)
    assert answer.status_code == 403
    assert "insufficient scope" in answer.headers["WWW-Authenticate"]


def test_who_does_not_say_what_they_are_is_forbidden_without_a_word(api):
    parts = urlsplit(api.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.request("GET", "/v2/campus", headers=dict(api.session.headers) | {"User-Agent": ""})
    answer = connection.getresponse()
    assert answer.status == 403
    assert answer.read() == b""
    connection.close()


def test_a_closed_campus_is_not_listed_but_its_people_are(api):
    hidden = {row["id"] for row in api.rows("campus")} - {row["id"] for row in api.every("campus")}
    assert hidden
    found = {campus_id: api.get(f"campus/{campus_id}") for campus_id in hidden}
    assert {answer.status_code for answer in found.values()} == {404}
    assert any(api.get(f"campus/{campus_id}/users").json() for campus_id in hidden)
