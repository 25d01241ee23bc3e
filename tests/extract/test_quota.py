"""The limiter: two calls in a second and the hour's calls, as the API counts arrivals."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections import deque
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract.api.quota import RESERVED_FOR_LIVE, Quota
from extract.api.quota_file import HOUR, State
from extract.base.errors import BudgetSpent


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def quota(directory: Path, clock: Clock, **options: object) -> Quota:
    made = Quota("key", directory=directory, clock=clock, sleep=clock.sleep, **options)  # type: ignore[arg-type]
    made._told.set()
    return made


def most_in(window: float, moments: list[float]) -> int:
    """The most moments within any window of so many seconds."""
    return max(sum(start <= m < start + window for m in moments) for start in moments)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pauses=st.lists(st.floats(0, 400), min_size=20, max_size=60), limit=st.integers(5, 40))
def test_any_pattern_of_calls_keeps_both_windows(
    pauses: list[float], limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clock = Clock()
    made = quota(tmp_path_factory.mktemp("quota"), clock, max_wait=3 * HOUR)
    made.learn({"X-Hourly-RateLimit-Limit": str(limit), "X-Secondly-RateLimit-Limit": "2"})
    moments = []
    for pause in pauses:
        clock.now += pause
        made.acquire()
        moments.append(clock.now)
    assert most_in(1.0, moments) <= 2
    assert most_in(HOUR, moments) <= limit


def _process(directory: str, calls: int, results: multiprocessing.Queue[list[float]]) -> None:
    made = Quota("key", directory=Path(directory))
    made._told.set()
    moments = []
    for _ in range(calls):
        made.acquire()
        moments.append(time.clock_gettime(time.CLOCK_BOOTTIME))
    results.put(moments)


def in_three_processes(directory: Path, calls: int) -> list[float]:
    """The moments of the calls that three processes make at the same time, so many each."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[float]] = context.Queue()
    processes = [
        context.Process(target=_process, args=(str(directory), calls, results), daemon=True)
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    moments = sorted(moment for _ in processes for moment in results.get(timeout=60))
    for process in processes:
        process.join()
    assert len(moments) == 3 * calls
    # none was lost between one process's reading of the file and another's writing
    assert sum(json.loads(next(directory.iterdir()).read_text())["buckets"].values()) == 3 * calls
    return moments


def test_several_processes_share_one_second(tmp_path: Path) -> None:
    Quota("key", directory=tmp_path).learn({"X-Secondly-RateLimit-Limit": "10"})
    # 10 a second and one for the moment between the slot and the reading of the clock
    assert most_in(1.0, in_three_processes(tmp_path, 8)) <= 11


def test_several_processes_lose_no_call_of_each_other(tmp_path: Path) -> None:
    Quota("key", directory=tmp_path).learn(
        {"X-Secondly-RateLimit-Limit": "1000000", "X-Hourly-RateLimit-Limit": "1000000"}
    )
    in_three_processes(tmp_path, 1000)


def test_a_budget_ends_the_run_cleanly(tmp_path: Path) -> None:
    made = quota(tmp_path, Clock(), max_calls=3)
    for _ in range(3):
        made.acquire()
    with pytest.raises(BudgetSpent, match="budget of 3 calls"):
        made.acquire()


def test_calls_of_other_machines_count_by_the_headers(tmp_path: Path) -> None:
    made = quota(tmp_path, Clock(), max_wait=1.0)
    made.learn({"X-Hourly-RateLimit-Limit": "1200", "X-Hourly-RateLimit-Remaining": "2"})
    made.acquire()
    made.acquire()
    with pytest.raises(BudgetSpent, match="used up"):
        made.acquire()


def test_an_answer_is_heeded_in_mid_run_when_others_use_the_key(tmp_path: Path) -> None:
    made = quota(tmp_path, Clock(), max_wait=1.0)
    made.learn({"X-Hourly-RateLimit-Limit": "1200", "X-Hourly-RateLimit-Remaining": "1000"})
    made.acquire()
    made.learn({"X-Hourly-RateLimit-Limit": "1200", "X-Hourly-RateLimit-Remaining": "999"})
    made.acquire()
    made.learn({"X-Hourly-RateLimit-Limit": "1200", "X-Hourly-RateLimit-Remaining": "0"})
    with pytest.raises(BudgetSpent, match="used up"):
        made.acquire()


def test_the_backfill_leaves_calls_for_live_passes(tmp_path: Path) -> None:
    made = quota(tmp_path, Clock(), max_wait=1.0)
    made.learn(
        {
            "X-Hourly-RateLimit-Limit": "1200",
            "X-Hourly-RateLimit-Remaining": str(RESERVED_FOR_LIVE + 1),
        }
    )
    made.acquire(background=True)
    with pytest.raises(BudgetSpent, match="kept for live passes"):
        made.acquire(background=True)
    made.acquire()


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({}, 1, 1),
        ({"X-Hourly-RateLimit-Remaining": "0"}, 1, HOUR + 1),
    ],
)
def test_a_429_waits_as_long_as_it_says(
    headers: dict[str, str], low: float, high: float, tmp_path: Path
) -> None:
    clock = Clock()
    made = quota(tmp_path, clock, max_wait=2 * HOUR)
    before = clock.now
    assert low <= made.refused(headers) <= high
    made.acquire()
    assert low <= clock.now - before <= high + 31


def test_a_state_from_before_a_reboot_or_damaged_starts_afresh(tmp_path: Path) -> None:
    clock = Clock(1_000_000.0)
    quota(tmp_path, clock).acquire()
    (path,) = tmp_path.iterdir()
    rebooted = Clock(100.0)
    quota(tmp_path, rebooted, max_wait=0.0).acquire()
    assert rebooted.now < 102
    path.write_text("{damaged" * 1000)
    for _ in range(3):
        quota(tmp_path, rebooted, max_wait=0.0).acquire()
    assert sum(json.loads(path.read_text())["buckets"].values()) == 3
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_answer_does_not_take_back_slots_that_are_handed_out(tmp_path: Path) -> None:
    clock = Clock()
    made = quota(tmp_path, clock)
    headers = {"X-Secondly-RateLimit-Limit": "2"}
    made.learn(headers)
    for _ in range(6):
        before = clock.now
        made.acquire()
        clock.now = before  # six workers ask in the same moment
        made.learn(headers)
    made.acquire()
    assert clock.now - 1_000_000.0 > 6 * 0.5


def refusals(calls: int, jitter: float, seed: int) -> int:
    """429s of six workers whose calls arrive up to so many seconds early or late, in no time."""
    random, state = Random(seed), State()
    arrived: deque[float] = deque(maxlen=2)
    refused, made, number = 0, 0, count()
    events = [(0.0, next(number), "want", 0) for _ in range(6)]
    while made < calls:
        now, _, event, known = heappop(events)
        if event == "want" or (event == "slot" and known != state.refusals):
            moment = state.take_slot(now)
            heappush(events, (moment, next(number), "slot", state.refusals))
        elif event == "slot":
            arrival = now + random.uniform(0, 2 * jitter)
            heappush(events, (arrival, next(number), "arrive", 0))
        else:
            made += 1
            after = 0.01
            if len(arrived) == 2 and now < arrived[0] + 1:
                refused += 1
                if state.widen(now):
                    state.next_at = now
                state.next_at = max(state.next_at, now + 1)
            else:
                arrived.append(now)
                after = random.uniform(0.1, 2.5)
            heappush(events, (now + after, next(number), "want", 0))
    return refused


@pytest.mark.parametrize("seed", range(5))
def test_jitter_of_the_network_earns_at_most_one_429_in_500_calls(seed: int) -> None:
    assert refusals(500, 0.3, seed) <= 1
    assert refusals(5000, 0.3, seed) <= 10
    assert refusals(2000, 0.0, seed) == 0


def test_the_pace_is_wider_after_a_429_for_every_process_and_comes_back_slowly(
    tmp_path: Path,
) -> None:
    clock = Clock()
    one, other = quota(tmp_path, clock), quota(tmp_path, clock)
    for _ in range(400):
        one.acquire()
    quick = one.seconds_between_calls()
    assert quick == pytest.approx(0.55)
    other.refused({"Retry-After": "1"})
    wide = one.seconds_between_calls()
    assert wide > 1.4 * quick
    other.refused({"Retry-After": "1"})  # of a call that was under way: it teaches nothing new
    assert one.seconds_between_calls() == wide
    for _ in range(100):
        one.acquire()
    assert quick < one.seconds_between_calls() < wide


def test_a_call_that_leaves_late_does_not_leave_beside_the_next(tmp_path: Path) -> None:
    clock = Clock()
    late, other = quota(tmp_path, clock), quota(tmp_path, clock)
    other.acquire()

    def overslept(seconds: float) -> None:
        """Meanwhile somebody else takes the slot after this one, and the machine is busy."""
        nonlocal others
        others, _ = other._slot(False)
        clock.now += seconds + 0.8

    others = 0.0
    late._sleep = overslept
    late.acquire()
    left = clock.now
    other._slot = lambda background: (others, 0)  # type: ignore[method-assign]
    other.acquire()

    assert others < left + 0.1, "its slot has come when the late call leaves"
    assert clock.now >= left + other.seconds_between_calls() - 0.001


def test_a_slot_from_before_a_429_counts_no_more(tmp_path: Path) -> None:
    clock = Clock()
    waiting, other = quota(tmp_path, clock), quota(tmp_path, clock)
    for _ in range(3):
        waiting.acquire()
    started = clock.now

    def interrupted(seconds: float) -> None:
        clock.now += seconds
        if clock.now - started < 2:
            other.refused({"Retry-After": "5"})

    waiting._sleep = interrupted
    waiting.acquire()
    assert clock.now - started >= 5


def test_a_wait_for_the_hour_is_told_until_it_is_over(tmp_path: Path) -> None:
    clock, waits = Clock(), []
    made = quota(tmp_path, clock, on_wait=waits.append)
    made.learn({"X-Hourly-RateLimit-Limit": "3"})
    for _ in range(4):
        made.acquire()
    assert waits == sorted(waits, reverse=True)
    assert waits[0] > waits[-1] > 5
