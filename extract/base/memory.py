"""Keep the process small: campus servers are, and pages come and go all day."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

import pyarrow as pa

# malloc.h of the GNU C library; other systems have no such call
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


def stay_small() -> None:
    """Give freed memory back to the system at once; to be called before threads start.

    A page is parsed, copied and forgotten within milliseconds; what the allocators keep of it for
    every thread was half of the process's memory (docs/performance.md).
    """
    with suppress(AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_ARENA_MAX, 1)
        # more than a page's answer and rows: smaller ones have the system give and take the same
        # memory for every page, a fifth of the processor's time
        library.mallopt(M_TRIM_THRESHOLD, 16 << 20)
        library.mallopt(M_MMAP_THRESHOLD, 4 << 20)
    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_cpu_count(1)
    # pages hold no cycles, and what is imported stays: the collector has little to look for
    if not gc.get_freeze_count():  # a second time would keep the garbage of a pass before
        gc.freeze()
    gc.set_threshold(50_000)
