"""Every fault does what it says, at the call it was set for and at no other."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import orjson
import pytest
import requests

LIST = "/v2/cursus/:cursus_id/users"
PAGE = {"per_page": 20, "sort": "id"}


def page(server, number=1):
    return server.get("cursus/21/users", **PAGE, page=number)


def test_a_fault_strikes_the_call_it_was_set_for_and_then_never_again(api):
    api.fault("502", path=LIST, call=3)
    statuses = [page(api, number).status_code for number in (1, 2, 3, 3, 4)]
    assert statuses == [200, 200, 502, 200, 200]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"call": 2, "times": 3}, [200, 500, 500, 500, 200, 200]),
        ({"call": [1, 4]}, [500, 200, 200, 500, 200, 200]),
        ({"call": "every"}, [500] * 6),
        ({"call": "every", "times": 2}, [500, 500, 200, 200, 200, 200]),
    ],
)
def test_a_fault_may_strike_several_calls(api, how, expected):
    api.fault("500", path=LIST, **how)
    assert [page(api).status_code for _ in range(6)] == expected


@pytest.mark.parametrize(
    "path",
    ["/v2/cursus/21/users", "/v2/cursus/:id/users", r"cursus/\d+/users", r"users\?.*page=2", LIST],
)
def test_the_path_of_a_fault_is_a_template_an_address_or_an_expression(api, path):
    api.fault("503", path=path)
    assert api.get("users").status_code == 200
    assert api.get("cursus").status_code == 200
    assert page(api, 2).status_code == 503


def test_a_fault_without_a_path_strikes_every_resource(api):
    api.fault("503", call="every")
    assert {api.get(path).status_code for path in ("users", "campus", "users/1")} == {503}
    assert api.token().status_code == 200


def test_a_fault_counts_what_it_saw_and_can_be_taken_away(api):
    fault = api.fault("500", path=LIST, call=5)
    page(api)
    listed = requests.get(f"{api.url}/_sandbox/faults", timeout=10).json()
    assert [(one["seen"], one["fired"]) for one in listed["faults"]] == [(1, 0)]
    requests.delete(f"{api.url}/_sandbox/faults", params={"id": fault["id"]}, timeout=10)
    assert [page(api).status_code for _ in range(5)] == [200] * 5


@pytest.mark.parametrize(
    "body",
    [{"kind": "earthquake"}, {"kind": "500", "path": "("}, {"kind": "500", "call": "often"}, {}],
)
def test_a_fault_that_makes_no_sense_is_refused_in_words(api, body):
    answer = requests.post(f"{api.url}/_sandbox/faults", json=body, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("token_expired", "The access token expired"),
        ("token_revoked", "The access token was revoked"),
    ],
)
def test_a_token_dies_in_the_middle_of_a_listing_and_a_new_one_helps(api, kind, reason):
    old = api.token().json()["access_token"]
    api.fault(kind, path=LIST, call=2)
    assert page(api).status_code == 200
    refused = page(api, 2)
    assert refused.status_code == 401
    assert reason in refused.headers["WWW-Authenticate"]
    assert page(api, 2).status_code == 401
    assert api.token().json()["access_token"] != old
    api.authorize()
    assert page(api, 2).status_code == 200


@pytest.mark.parametrize(("kind", "status"), [("token_401", 401), ("token_500", 500)])
def test_the_token_endpoint_may_fail_for_a_while(api, kind, status):
    api.fault(kind, times=2)
    assert [api.token().status_code for _ in range(3)] == [status, status, 200]


def test_the_token_endpoint_may_be_busy(api):
    api.fault("token_429", retry_after=3)
    answer = api.token()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")


def test_the_token_endpoint_may_be_down(api):
    api.fault("token_down")
    with pytest.raises(requests.ConnectionError):
        api.token()
    assert api.token().status_code == 200


def test_an_expired_secret_stops_the_first_secret_but_not_the_second(living):
    living.fault("secret_expired")
    assert page(living).status_code == 401
    assert living.token().json()["error"] == "invalid_client"
    bearer = living.token(client_secret="next").json()["access_token"]
    living.session.headers["Authorization"] = f"Bearer {bearer}"
    assert page(living).status_code == 200


@pytest.mark.parametrize(
    ("kind", "window", "wait"),
    [("429_second", "Secondly", range(1, 2)), ("429_hour", "Hourly", range(1, 3602))],
)
def test_a_window_can_be_used_up_with_and_without_retry_after(api, kind, window, wait):
    api.fault(kind, path=LIST, call=1)
    api.fault(kind, path=LIST, call=2, retry_after=False)
    api.fault(kind, path=LIST, call=3, retry_after=17)
    usual, silent, told = (page(api) for _ in range(3))
    assert {usual.status_code, silent.status_code, told.status_code} == {429}
    assert usual.headers[f"X-{window}-RateLimit-Remaining"] == "0"
    assert usual.text.startswith("429 Too Many Requests")
    assert int(usual.headers["Retry-After"]) in wait
    assert "Retry-After" not in silent.headers
    assert told.headers["Retry-After"] == "17"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_servers_in_front_fail_in_html(api, status):
    api.fault(str(status), path=LIST)
    answer = page(api)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert str(status) in answer.text


def test_forbidden_comes_from_cloudflare_or_without_a_word_or_for_good(api):
    api.fault("cloudflare_403", path=LIST, call=1)
    api.fault("empty_403", path=LIST, call=2)
    api.fault("denied_403", path=LIST, call=3)
    answers = [page(api) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [403] * 3
    assert "Just a moment..." in answers[0].text
    assert answers[1].content == b""
    assert "Content-Type" not in answers[1].headers
    assert answers[2].json()["error"] == "Access Denied"


def test_200_may_carry_html_or_an_object(api):
    api.fault("html_200", path=LIST)
    assert page(api).text.startswith("<!DOCTYPE html>")
    api.fault("object_200", path=LIST)
    answer = page(api)
    assert answer.status_code == 200
    assert isinstance(answer.json(), dict)


def test_json_may_stop_in_the_middle(api):
    api.fault("truncated_json", path=LIST)
    answer = page(api)
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def raw_answer(server, path):
    """Read what the socket gives, and how it ended."""
    parts = urlsplit(server.url)
    received = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: sandbox\r\nUser-Agent: test\r\n"
        head += f"Authorization: {server.session.headers['Authorization']}\r\n\r\n"
        connection.sendall(head.encode())
        try:
            while part := connection.recv(65536):
                received += part
        except ConnectionResetError:
            return received, "reset"
    return received, "closed"


def test_a_connection_is_reset_before_the_body(api):
    api.fault("reset_before_body", path=LIST)
    assert raw_answer(api, "/v2/cursus/21/users") == (b"", "reset")
    api.fault("reset_before_body", path=LIST, after_headers=True)
    received, end = raw_answer(api, "/v2/cursus/21/users")
    assert end == "reset"
    assert received.startswith(b"HTTP/1.1 200 OK")
    assert received.endswith(b"\r\n\r\n")


def test_a_connection_is_reset_in_the_middle_of_the_body(api):
    api.fault("reset_in_body", path=LIST)
    received, end = raw_answer(api, "/v2/cursus/21/users")
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    assert end == "reset"
    assert 0 < len(body) < length
    api.fault("reset_in_body", path=LIST)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        page(api)
    assert page(api).status_code == 200


def test_an_answer_may_hang_until_the_client_gives_up(api):
    api.fault("hang", path=LIST, seconds=20)
    with pytest.raises(requests.Timeout):
        api.session.get(f"{api.url}/v2/cursus/21/users", timeout=0.3)
    assert page(api).status_code == 200


def test_a_body_may_drip(api):
    api.fault("slow_drip", path=LIST, seconds=0.6)
    started = time.monotonic()
    answer = page(api)
    assert time.monotonic() - started > 0.5
    assert len(answer.json()) == 20


def test_compressed_bytes_may_be_damaged(api):
    api.fault("gzip_damage", path=LIST)
    with pytest.raises(requests.exceptions.ContentDecodingError):
        page(api)


def test_the_total_may_be_missing_or_wrong(api):
    total = int(page(api).headers["X-Total"])
    api.fault("missing_total", path=LIST, link=False)
    answer = page(api)
    assert "X-Total" not in answer.headers
    assert "Link" not in answer.headers
    assert len(answer.json()) == 20
    api.fault("wrong_total", path=LIST, delta=-3)
    assert int(page(api).headers["X-Total"]) == total - 3


def test_links_may_come_in_another_order(api):
    usual = page(api, 2).headers["Link"].split(", ")
    api.fault("link_shuffled", path=LIST)
    shuffled = page(api, 2).headers["Link"].split(", ")
    assert shuffled != usual
    assert sorted(shuffled) == sorted(usual)


def test_a_page_may_be_served_twice(api):
    api.fault("page_repeated", path=LIST, call=2)
    first, second, third = (page(api, number) for number in (1, 2, 3))
    assert second.json() == first.json()
    assert second.headers["X-Page"] == "2"
    assert third.json()[0]["id"] > second.json()[-1]["id"]


def test_a_row_may_slip_between_two_pages(api):
    whole = [row["id"] for number in (1, 2, 3) for row in page(api, number).json()]
    api.fault("row_moved", path=LIST, call=2)
    readings = [row["id"] for number in (1, 2, 3) for row in page(api, number).json()]
    assert len(readings) == len(whole)
    assert set(whole) - set(readings) == {whole[20]}
    assert readings[39] == readings[40]


def test_a_row_deleted_while_reading_makes_the_listing_miss_another(living):
    before = [row["id"] for row in living.every("cursus/21/users", sort="id")]
    living.fault("row_deleted", path=LIST, call=2)
    readings = [row["id"] for number in range(1, 30) for row in page(living, number).json()]
    after = [row["id"] for row in living.every("cursus/21/users", sort="id")]
    assert set(before) - set(after) == {before[0]}
    assert set(after) - set(readings) == {before[20]}


@pytest.mark.parametrize(
    "path",
    ["campus", "cursus/21/projects", "project_sessions", "achievements", "coalitions", "blocs",
     "cursus_users", "campus_users", "projects_users", "achievements_users", "coalitions_users"],
)  # fmt: skip
def test_any_list_can_lose_its_first_row(living, path):
    first, *others = [row["id"] for row in living.every(path)]
    living.fault("row_deleted", path=f"/v2/{path}")
    assert [row["id"] for row in living.every(path)] == others
    assert first not in others


def test_a_list_may_be_empty_though_it_counts_rows(api):
    api.fault("empty_list", path=LIST, call=2)
    assert page(api).json()
    answer = page(api, 2)
    assert answer.json() == []
    assert int(answer.headers["X-Total"]) > 0


def test_rows_may_break_the_contract(api):
    def damaged(kind, **how):
        api.clear()
        api.fault(kind, path=LIST, **how)
        return page(api)

    rows = damaged("duplicate_ids").json()
    assert rows[0]["id"] == rows[1]["id"]
    assert damaged("null_id", row=3).json()[3]["id"] is None
    assert damaged("string_for_number", field="wallet").json()[0]["wallet"] == "a lot"
    assert {"is_cool" in row for row in damaged("unknown_field", field="is_cool").json()} == {True}
    assert {"wallet" in row for row in damaged("field_gone", field="wallet").json()} == {False}
    assert {row["kind"] for row in damaged("set_field", field="kind", rows="all").json()} == {None}
    assert damaged("huge_number", field="wallet").json()[0]["wallet"] == 2**70
    assert "\x00" in damaged("nul_character", field="first_name").json()[0]["first_name"]
    assert r"\ud800" in damaged("lone_surrogate", field="first_name").text
    assert "[" * 5000 in damaged("deep_nesting", depth=5000).text
    assert len(damaged("big_page", bytes=3_000_000).content) >= 3_000_000


def test_big_pages_are_as_big_as_they_say(api):
    api.fault("big_page", path=LIST)
    answer = page(api)
    assert len(answer.content) >= 50 * 1024 * 1024
    assert orjson.loads(answer.content)[0]["id"]


def test_latency_delays_answers_side_by_side(living):
    living.control("settings", {"latency": 0.4})
    started = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: page(living, number), range(1, 7)))
    assert {answer.status_code for answer in answers} == {200}
    assert 0.4 <= time.monotonic() - started < 1.6
    assert living.calls()["max_in_flight"] == 6
