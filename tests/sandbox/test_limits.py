"""The two rate windows."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from sandbox import app
from sandbox.api.limits import Limits
from sandbox.clock import Clock

SCOPE = {
    "type": "http", "method": "GET", "path": "/v2/cursus", "query_string": b"", "scheme": "http",
    "server": ("sandbox", 80), "root_path": "",
}  # fmt: skip


@pytest.fixture
def limited(living):
    living.control("settings", {"limits": "real"})
    return living


def burst(server, count):
    return [server.get("cursus", per_page=1) for _ in range(count)]


def test_headers_tell_the_limits_even_when_they_are_fast(api):
    headers = api.get("cursus").headers
    assert int(headers["X-Secondly-RateLimit-Limit"]) > 1000
    assert int(headers["X-Hourly-RateLimit-Remaining"]) > 1000
    assert headers["X-Application-Id"].isdecimal()
    assert headers["X-Application-Name"] == "sandbox"
    assert headers["X-Application-Roles"] == "None"
    assert float(headers["X-Runtime"]) >= 0
    assert len(headers["X-Request-Id"]) == 32


def test_the_third_request_in_a_second_is_spam_in_plain_text(limited):
    answers = burst(limited, 3)
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    refused = answers[2]
    assert refused.headers["Content-Type"].startswith("text/plain")
    assert refused.text.startswith("429 Too Many Requests (Spam Rate Limit Exceeded)")
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["X-Secondly-RateLimit-Limit"] == "2"
    assert refused.headers["X-Secondly-RateLimit-Remaining"] == "0"
    assert int(refused.headers["X-Hourly-RateLimit-Remaining"]) > 0


def test_a_second_later_there_is_room_again(limited):
    burst(limited, 3)
    limited.control("clock", {"advance_seconds": 1})
    assert limited.get("cursus").status_code == 200


def test_the_hourly_window_holds_1200_and_says_when_it_opens():
    clock = Clock()
    limits = Limits(clock, "real")
    for _ in range(1200):
        clock.advance(0.6)
        verdict = limits.take()
        assert verdict.allowed
    assert verdict.headers["X-Hourly-RateLimit-Remaining"] == "0"
    clock.advance(2)
    refused = limits.take()
    assert not refused.allowed
    assert refused.headers["X-Hourly-RateLimit-Remaining"] == "0"
    assert 3600 - 1200 * 0.6 - 4 < refused.retry_after <= 3600 - 1200 * 0.6
    clock.advance(refused.retry_after)
    assert limits.take().allowed


def test_retry_after_can_be_left_out_as_the_real_api_sometimes_does(limited):
    limited.control("settings", {"retry_after": False})
    assert "Retry-After" not in burst(limited, 3)[2].headers


def test_a_new_token_does_not_bring_a_new_budget(limited):
    burst(limited, 2)
    limited.authorize()
    assert limited.get("cursus").status_code == 429


@pytest.mark.slow
def test_calls_sent_far_enough_apart_are_refused_where_they_arrive_too_close(limited):
    limited.control("settings", {"jitter": 0.3})

    def one(number):
        time.sleep(number * 0.55)
        headers = dict(limited.session.headers)
        address = f"{limited.url}/v2/cursus?per_page=1"
        return requests.get(address, headers=headers, timeout=10).status_code

    with ThreadPoolExecutor(14) as pool:
        statuses = list(pool.map(one, range(14)))
    assert set(statuses) == {200, 429}
    assert limited.calls()["max_in_1s"] > 2
    limited.control("reset")
    health = requests.get(f"{limited.url}/_sandbox/health", timeout=10).json()
    assert health["jitter"] == 0


def test_the_same_seed_makes_requests_arrive_equally_late(monkeypatch):
    async def journeys(seed):
        late = []

        async def note(seconds):
            late.append(seconds)

        monkeypatch.setattr(app.asyncio, "sleep", note)
        sandbox = app.Sandbox(app.Options(jitter=0.3, seed=seed))
        for _ in range(30):
            await sandbox({**SCOPE, "headers": []}, receive, send)
        return late

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        pass

    # in a thread of its own: a browser's test may have left a loop running in this one
    with ThreadPoolExecutor(1) as thread:
        first, again, other = (
            thread.submit(asyncio.run, journeys(seed)).result() for seed in (1, 1, 2)
        )
    assert first == again != other
    assert 0 <= min(first) < 0.1 < 0.5 < max(first) <= 0.6
