"""Keep threads that take turns on one processor."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def on_one_processor() -> Iterator[None]:
    """Run this thread, and those it starts, on the processor where it is now.

    Only one of Python's threads computes at a time. Spread over processors they wake each other
    across them a dozen times a page: a tenth of an extraction's CPU (docs/performance.md). Threads
    that ran before stay where they were. Systems without the call (it is Linux's) change nothing.
    """
    try:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {ctypes.CDLL(None).sched_getcpu()})
    except (AttributeError, OSError, OverflowError):
        yield
        return
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
