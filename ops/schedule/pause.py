"""The pause of the schedule: a file that ops/upgrade.sh writes and ops/scheduled.sh obeys.

In it are the upgrade's process and the command that leads back to the version before.
"""

from datetime import UTC, datetime, timedelta

import psutil

from extract.base.settings import ROOT

FILE = ROOT / ".paused"
AT_MOST = timedelta(hours=6)  # as in ops/scheduled.sh, which works while .venv is made anew


def left_behind(now: datetime) -> str:
    """Why the schedule waits for an upgrade that is over, and what to do; else empty."""
    try:
        until = datetime.fromtimestamp(FILE.stat().st_mtime, UTC) + AT_MOST
        process, back, *_ = [*FILE.read_text(encoding="utf-8").splitlines(), "", ""]
    except OSError:
        return ""
    if now >= until or (process.isdigit() and psutil.pid_exists(int(process))):
        return ""
    return (
        f"The schedule waits until {until:%Y-%m-%d %H:%M} UTC, because an upgrade stopped before "
        "its end: run `make upgrade` again"
        + (f", or go back (`{back} && make sync`)" if back else "")
        + f". `rm {FILE}` lets the schedule go on at once with the version that is here."
    )
