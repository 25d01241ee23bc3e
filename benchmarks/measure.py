"""What a child process costs, and the median of several tries."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable


@dataclass(frozen=True)
class Cost:
    """What one command took, its own children included.

    Attributes:
        wall: Seconds from start to exit.
        cpu: Processor seconds of the command and its children; not of servers it talks to.
        mebibytes: The largest resident set of any of its processes.
    """

    wall: float
    cpu: float
    mebibytes: float


class CommandFailed(Exception):
    """A measured command failed; its last words are the message."""


def run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[Cost, str]:
    """Run a command to its end; returns its cost and what it printed.

    Raises:
        CommandFailed: It exited with another status than 0.
    """
    words = [word for word in command if word not in (PYTHON, "-m")]
    print(f"{time.strftime('%T')} {' '.join(words)[:90]}", file=sys.stderr)
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    # wait4 and not wait: it tells what this child alone has used
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        last = "\n".join(said.strip().splitlines()[-15:])
        raise CommandFailed(f"{' '.join(command)} exited with {process.returncode}:\n{last}")
    cost = Cost(
        time.monotonic() - started,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
    )
    return cost, said


def run_beside(server: int, command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run a command to its end; the cost is that of its processes and a server's together.

    Looked at twice a second: the memory is the largest that all had at once, shared pages once.
    """
    done = threading.Event()
    seconds, mebibytes = [_used(server)[0]], [0.0]

    def look() -> None:
        while not done.wait(0.5):
            processor, memory = _used(server)
            seconds.append(processor)
            mebibytes.append(memory)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        cost, _ = run(command, environment)
    finally:
        done.set()
        looking.join()
    psutil.wait_procs(psutil.Process().children(recursive=True), 60)  # a virtual machine's end
    return Cost(cost.wall, max(seconds) - seconds[0], max(mebibytes))


def _used(server: int) -> tuple[float, float]:
    """Processor seconds and MiB of this process's children, of a server, and of all theirs."""
    processor = memory = 0.0
    parent = psutil.Process(server)
    for process in [
        parent,
        *parent.children(recursive=True),
        *psutil.Process().children(recursive=True),
    ]:
        try:
            processor += sum(process.cpu_times()[:4])  # those of its ended children too
            memory += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return processor, memory / 2**20


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each figure by itself."""
    return Cost(
        median(cost.wall for cost in costs),
        median(cost.cpu for cost in costs),
        median(cost.mebibytes for cost in costs),
    )


def repeated(times: int, variants: Mapping[str, Callable[[], Cost]]) -> dict[str, Cost]:
    """Medians of variants that take turns, so that a busy minute of the machine hits all alike."""
    costs: dict[str, list[Cost]] = {name: [] for name in variants}
    for _ in range(times):
        for name, variant in variants.items():
            costs[name].append(variant())
    return {name: middle(found) for name, found in costs.items()}
