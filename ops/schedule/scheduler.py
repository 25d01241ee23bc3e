"""`python -m ops scheduler`: the schedule without cron or systemd, for containers.

One job at a time, each a process of its own (`python -m ops scheduled JOB`), so that what one
leaves in memory or breaks is none of the next one's business. A time that passes while another job
runs is made up for right after it.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import FrameType
from typing import Annotated

import typer

from extract.base.errors import MirrorError
from extract.base.settings import ROOT, environment
from ops.schedule import heartbeat
from ops.schedule.schedule import Schedule
from ops.status.status import read_status
from ops.status.verdict import judge

BEAT = 5.0
ENDS = {0: "done", 75: "put off, another run or the quota is in the way"}
FIRST = "live"  # without a full pass to build on, it does one


app = typer.Typer()


class Stop(Exception):
    """The container is to end."""


@app.command("scheduler")
def command(
    check: Annotated[
        bool, typer.Option("--healthy", help="Only say whether all is well: exit status 0 or 1.")
    ] = False,
) -> None:
    """Run the schedule in the foreground, without cron or systemd: for containers."""
    if check:
        healthy()
    else:
        run()


def run(
    schedule: Schedule | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> None:
    """Run jobs when they are due, until SIGTERM or SIGINT."""
    chosen = schedule or Schedule.load(environment())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    due = chosen.next_runs(now())
    if FIRST in due:
        due[FIRST] = now()
    try:
        while True:
            heartbeat.beat()
            job = min(due, key=lambda name: (due[name], name == "live"))
            if due[job] > now():
                time.sleep(min(BEAT, max(0.0, (due[job] - now()).total_seconds())))
                continue
            _job(job)
            due[job] = chosen.next_runs(now())[job]
    except Stop:
        return


def healthy() -> None:
    """Return if the scheduler is alive and the mirror is not failing.

    Raises:
        MirrorError: It has not given a sign for two minutes, or the mirror fails; and why.
    """
    silent = heartbeat.silence()
    if silent is None or silent > heartbeat.SILENT_FOR:
        raise MirrorError(
            "The scheduler gives no sign of life: it does not run, or it hangs. Look at its output "
            "(docker compose logs scheduler) and restart it."
        )
    verdict = judge(read_status())
    if verdict.level == "failing":
        reasons = " ".join(reason.sentence for reason in verdict.reasons)
        raise MirrorError(f"The mirror is failing: {reasons}")


def _job(name: str) -> None:
    """Run a job to its end; on a stop, ask it to end as well."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "ops", "scheduled", name], cwd=ROOT)
    try:
        while process.poll() is None:
            heartbeat.beat()
            with suppress(subprocess.TimeoutExpired):
                process.wait(BEAT)
    except Stop:
        process.send_signal(signal.SIGINT)  # ends as with Ctrl-C: nothing half-written
        process.wait()
        raise
    print(  # for docker compose logs; the run's own story is in ops.runs and the log
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC {name}: {ENDS.get(process.returncode, 'failed')} "
        f"after {time.monotonic() - started:.0f} s",
        flush=True,
    )


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stop
