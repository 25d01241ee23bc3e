"""Threads that take turns stay on one processor while pages are read, and no longer."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from extract.base.processor import on_one_processor

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system binds no thread to a processor"
)


def test_the_thread_and_those_it_starts_stay_on_one_processor() -> None:
    before = os.sched_getaffinity(0)
    with on_one_processor(), ThreadPoolExecutor(1) as pool:
        here = os.sched_getaffinity(0)
        assert len(here) == 1
        assert here <= before
        assert pool.submit(os.sched_getaffinity, 0).result() == here
    assert os.sched_getaffinity(0) == before


def test_a_thread_that_wakes_does_not_interrupt_the_one_at_work() -> None:
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    with on_one_processor(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(os.sched_getscheduler, 0).result() == os.SCHED_BATCH
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_a_schedule_that_somebody_chose_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getscheduler", lambda process: os.SCHED_IDLE)
    monkeypatch.setattr(os, "sched_setscheduler", lambda *arguments: pytest.fail("it was changed"))
    with on_one_processor():
        assert len(os.sched_getaffinity(0)) == 1


def test_an_error_gives_the_processors_back() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(ZeroDivisionError), on_one_processor():
        _ = 1 / 0
    assert os.sched_getaffinity(0) == before


def test_a_system_that_refuses_goes_on_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(process: int, processors: set[int]) -> None:
        raise PermissionError

    before = os.sched_getaffinity(0)
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    with on_one_processor():
        assert os.sched_getaffinity(0) == before
