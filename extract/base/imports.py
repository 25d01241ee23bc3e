"""Start quickly."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Import without looking for garbage, and leave what was imported out of every later look.

    Imports make a hundred thousand objects that stay: looking at them again and again took 0.3 s
    of each command and 0.6 s of each dbt (docs/performance.md).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
