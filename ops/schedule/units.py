"""The schedule as systemd timers: one template unit for the jobs, one timer for each."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from string import Template

from extract.base.errors import MirrorError
from extract.base.settings import ROOT
from ops.schedule.schedule import JOBS, Schedule

TEMPLATES = Path(__file__).parent / "systemd"
NAME = "fortytwo-mirror"


def units(schedule: Schedule, variables: Mapping[str, str]) -> dict[str, str]:
    """Unit files by name."""
    environment = [
        f"Environment={_quoted(f'{name}={value}')}" for name, value in sorted(variables.items())
    ]
    service = _template("service").substitute(
        root=_escaped(str(ROOT)),
        script=_quoted(str(ROOT / "ops" / "scheduled.sh")).replace("$", "$$"),
        environment="\n".join(environment),
    )
    timers = {
        f"{NAME}-{job}.timer": _template("timer").substitute(
            job=job, calendar=_calendar(schedule, job)
        )
        for job in schedule.jobs()
    }
    return {f"{NAME}@.service": service, **timers}


def _calendar(schedule: Schedule, job: str) -> str:
    at = schedule.time_of(job)
    if at is not None:
        return f"*-*-* {at}:00 UTC"
    return "*-*-* *:00:00 UTC" if schedule.live == 60 else f"*-*-* *:00/{schedule.live}:00 UTC"


def default_directory() -> Path:
    """The system's units for root, the user's own for others."""
    if os.geteuid() == 0:
        return Path("/etc/systemd/system")
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "systemd" / "user"


def checkout(directory: Path) -> Path | None:
    """The checkout whose jobs the units in a directory run; None where there are no units."""
    try:
        service = (directory / f"{NAME}@.service").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"^WorkingDirectory=(.*)", service, re.MULTILINE)
    return Path(found[1].replace("%%", "%")) if found else None


def install(files: Mapping[str, str], directory: Path) -> list[Path]:
    """Write the units and take away timers that are not wanted any more; returns what was written.

    Raises:
        MirrorError: The directory cannot be written to, or has the units of another checkout.
    """
    other = checkout(directory)
    if other and other != ROOT and other.is_dir():
        raise MirrorError(
            f"The timers in {directory} are those of the checkout in {other}. Nothing was written. "
            "Run `make uninstall` there first, or give another place with --directory."
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for job in JOBS:
            if f"{NAME}-{job}.timer" not in files:
                (directory / f"{NAME}-{job}.timer").unlink(missing_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise MirrorError(
            f"The units cannot be written to {directory}: {error}. Give another place with "
            "--directory."
        ) from error
    return [directory / name for name in files]


def next_runs() -> dict[str, datetime]:
    """When each installed timer fires next; empty without a running systemd."""
    program = shutil.which("systemctl")
    found: dict[str, datetime] = {}
    for scope in ([], ["--user"]) if program else ():
        for job in JOBS:
            moment = _next_run([str(program), *scope], job)
            if moment:
                found[job] = moment
    return found


def _next_run(systemctl: list[str], job: str) -> datetime | None:
    show = ["show", "--property=NextElapseUSecRealtime", "--value", f"{NAME}-{job}.timer"]
    try:
        done = subprocess.run(
            [*systemctl, *show],
            capture_output=True,
            text=True,
            check=False,
            timeout=3,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        )
        text = done.stdout.strip()
        return datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _template(name: str) -> Template:
    text = (TEMPLATES / f"{name}.template").read_text(encoding="utf-8")
    return Template(text)


def _quoted(text: str) -> str:
    escaped = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    """`%` begins a specifier in a unit file."""
    return text.replace("%", "%%")
