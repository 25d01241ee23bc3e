"""Runs in processes of their own that start in milliseconds, to be killed or put to sleep."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from typing import Any

# everything heavy is imported once, in the server that the children are forked from
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.faults.lab"])


def start(mode: str, result: Any = None, **environment: str) -> BaseProcess:
    """Start an extraction as a process of its own, in this process's environment.

    Args:
        result: A queue that gets (error or None, what was said).
    """
    child = _CONTEXT.Process(
        target=_run, args=({**os.environ, **environment}, mode, result), daemon=True
    )
    child.start()
    return child


def queue() -> Any:
    """For results."""
    return _CONTEXT.Queue()


def _run(environment: Mapping[str, str], mode: str, result: Any) -> None:
    os.environ.clear()
    os.environ.update(environment)
    from tests.faults.lab import run_here

    ran = run_here(mode)
    if result is not None:
        result.put((ran.error and str(ran.error), ran.said))
