"""Keep threads that take turns from standing in each other's way."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def on_one_processor() -> Iterator[None]:
    """Run this thread, and those it starts, on the processor where it is now, and to their ends.

    Only one of Python's threads computes at a time. Spread over processors they wake each other
    across them a dozen times a page: a tenth of an extraction's CPU (docs/performance.md). On one,
    a thread that wakes would still interrupt the one at work, which a batch's threads do not.
    Threads that ran before stay as they were. Systems without the calls (they are Linux's) change
    nothing.
    """
    try:
        processors, policy = os.sched_getaffinity(0), os.sched_getscheduler(0)
        os.sched_setaffinity(0, {ctypes.CDLL(None).sched_getcpu()})
    except (AttributeError, OSError, OverflowError):
        yield
        return
    with suppress(OSError):
        if policy == os.SCHED_OTHER:  # another one was somebody's choice
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setaffinity(0, processors)
        with suppress(OSError):
            if policy == os.SCHED_OTHER:
                os.sched_setscheduler(0, policy, os.sched_param(0))
