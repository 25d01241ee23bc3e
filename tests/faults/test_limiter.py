"""The limiter with several processes: in a time of its own, and against the sandbox's jitter."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract.api.client import Call, FortyTwoClient
from extract.api.quota import Quota
from extract.api.quota_file import HOUR
from extract.base.errors import BudgetSpent
from extract.base.settings import Settings
from tests.extract.test_quota import Clock, most_in, quota


def processes(count: int, directory: Path, clock: Clock) -> list[Quota]:
    """Limiters that meet in one file, as several processes do."""
    return [quota(directory, clock, max_wait=3 * HOUR) for _ in range(count)]


STEP = st.tuples(
    st.integers(0, 3),  # which process
    st.floats(0, 300),  # seconds since the step before
    st.sampled_from(["call", "call", "call", "call", "429", "429 with Retry-After", "restart"]),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEP, min_size=20, max_size=80), limit=st.integers(5, 40))
def test_any_turns_of_four_processes_keep_both_windows(
    steps: list[tuple[int, float, str]], limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory, clock = tmp_path_factory.mktemp("quota"), Clock()
    quotas = processes(4, directory, clock)
    quotas[0].learn({"X-Hourly-RateLimit-Limit": str(limit), "X-Secondly-RateLimit-Limit": "2"})
    moments = []
    for number, pause, action in steps:
        clock.now += pause
        if action == "restart":  # a process that was killed and came again
            quotas[number] = processes(1, directory, clock)[0]
        elif action.startswith("429"):
            headers = {"Retry-After": "2"} if "Retry" in action else {}
            quotas[number].refused(headers)
        else:
            quotas[number].acquire()
            moments.append(clock.now)
    if moments:
        assert most_in(1.0, moments) <= 2
        assert most_in(HOUR, moments) <= limit


def test_the_1201st_call_of_an_hour_waits_for_the_next(tmp_path: Path) -> None:
    clock = Clock()
    quotas = processes(3, tmp_path, clock)
    moments = []
    for number in range(2500):
        quotas[number % 3].acquire()
        moments.append(clock.now)
    assert most_in(1.0, moments) <= 2
    # sorted already: the call 1,200 places later is an hour later
    assert all(later - m >= HOUR for m, later in zip(moments, moments[1200:], strict=False))


def test_a_run_that_may_not_wait_says_when_to_come_again(tmp_path: Path) -> None:
    limited = quota(tmp_path, Clock(), max_wait=0.0)
    limited.learn({"X-Hourly-RateLimit-Limit": "3"})
    for _ in range(3):
        limited.acquire()
    with pytest.raises(BudgetSpent, match=r"free in about \d+ min\."):
        limited.acquire()


def test_a_spent_hour_lasts_to_the_end_of_the_clocks_when_nothing_else_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    first, second = processes(2, tmp_path, clock)
    started = clock.now
    monkeypatch.setattr("time.time", lambda: 100 * HOUR + 600 + clock.now - started)
    first.refused({"X-Hourly-RateLimit-Remaining": "0"})
    second.acquire()
    assert HOUR - 600 <= clock.now - started <= HOUR - 600 + 31


def test_a_first_call_without_an_answer_holds_up_no_other(tmp_path: Path) -> None:
    unheard = Quota("key", directory=tmp_path)
    started = time.monotonic()
    for _ in range(3):
        unheard.acquire()
        unheard.unanswered()
    assert time.monotonic() - started < 10


@pytest.mark.faults
def test_calls_that_arrive_early_or_late_keep_the_second_of_the_server(
    start_sandbox: Callable[..., str], tmp_path: Path
) -> None:
    url = start_sandbox(limits="real")
    requests.post(f"{url}/_sandbox/settings", json={"jitter": 0.3}, timeout=10).raise_for_status()
    calls: list[Call] = []
    # two processes would share the quota by the same file
    clients = [
        FortyTwoClient(
            Settings(url, "sandbox", "sandbox"),
            Quota("key", directory=tmp_path),
            on_call=calls.append,
        )
        for _ in range(2)
    ]
    ends = time.monotonic() + 16

    def read(client: FortyTwoClient) -> None:
        while time.monotonic() < ends:
            client.page("/cursus", {})

    with ThreadPoolExecutor(6) as pool:
        for reading in [pool.submit(read, client) for client in clients for _ in range(3)]:
            reading.result()
    assert len(calls) > 14
    assert sum(call.status == 429 for call in calls) <= 1
