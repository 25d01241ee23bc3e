"""OAuth2 tokens."""

from __future__ import annotations

from typing import Any

import pytest
import requests

CREDENTIALS = {
    "grant_type": "client_credentials",
    "client_id": "sandbox",
    "client_secret": "sandbox",
}
GRANT = {"grant_type": "client_credentials"}
MULTIPART = {name: (None, value) for name, value in CREDENTIALS.items()}


@pytest.mark.parametrize("path", ["/oauth/token", "/v2/oauth/token"])
@pytest.mark.parametrize(
    "how",
    [
        {"data": CREDENTIALS},
        {"params": CREDENTIALS},
        {"json": CREDENTIALS},
        {"files": MULTIPART},
        {"data": GRANT, "auth": ("sandbox", "sandbox")},
        {"json": GRANT, "auth": ("sandbox", "sandbox")},
    ],
    ids=["form", "query", "json", "multipart", "basic and form", "basic and json"],
)
def test_a_client_may_say_who_it_is_in_every_way_the_real_api_takes(api, path, how):
    answer = requests.post(api.url + path, timeout=10, **how)
    assert answer.status_code == 200
    assert list(answer.json()) == [
        "access_token", "token_type", "expires_in", "scope", "created_at", "secret_valid_until",
    ]  # fmt: skip
    assert len(answer.json()["access_token"]) == 64
    assert not any(name.startswith("X-Hourly") for name in answer.headers)


def test_a_living_token_is_handed_out_again_with_what_is_left_of_its_life(living):
    first = living.token().json()
    living.control("clock", {"advance_seconds": 424})
    second = living.token().json()
    assert second["access_token"] == first["access_token"]
    assert second["created_at"] == first["created_at"]
    assert first["expires_in"] - second["expires_in"] in (424, 425)


def test_after_its_life_a_token_is_refused_and_a_new_one_is_given(living):
    first = living.token().json()
    living.control("clock", {"advance_seconds": 7201})
    answer = living.get("cursus")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert "The access token expired" in answer.headers["WWW-Authenticate"]
    assert living.token().json()["access_token"] != first["access_token"]


def test_an_unknown_token_is_refused_in_json(api):
    answer = requests.get(
        f"{api.url}/v2/campus", headers={"Authorization": "Bearer nonsense"}, timeout=10
    )
    assert answer.status_code == 401
    assert answer.json()["error"] == "The access token is invalid"
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="42 API"')


def test_a_token_may_come_in_the_address(api):
    token = api.token().json()["access_token"]
    answer = requests.get(f"{api.url}/v2/campus", params={"access_token": token}, timeout=10)
    assert answer.status_code == 200
    assert "access_token" not in answer.headers.get("Link", "")


def test_token_info_tells_what_is_left(api):
    answer = api.session.get(f"{api.url}/oauth/token/info", timeout=10)
    body: dict[str, Any] = answer.json()
    assert body["resource_owner_id"] is None
    assert body["scopes"] == ["public"]
    assert body["application"] == {"uid": "sandbox"}
    assert 0 < body["expires_in_seconds"] <= 7200


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "stranger"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 401, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "code": "x"}, 401, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 401, "invalid_grant"),
        ({"scope": "everything"}, 401, "invalid_scope"),
    ],
)
def test_a_bad_token_request_says_why_in_body_and_header(api, fields, status, error):
    answer = api.token(**fields)
    assert answer.status_code == status
    assert answer.json()["error"] == error
    assert f'error="{error}"' in answer.headers["WWW-Authenticate"]
    assert answer.json()["error_description"] in answer.headers["WWW-Authenticate"]


def test_an_expired_secret_is_an_invalid_client_and_the_second_secret_goes_on(living):
    living.control("clock", {"advance_seconds": 29 * 86_400})
    answer = living.token()
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert living.token(client_secret="next").status_code == 200
