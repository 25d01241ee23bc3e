"""The schedule as a marked block in the user's crontab; every other line stays as it is."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

import psutil

from extract.base.errors import MirrorError
from extract.base.settings import ROOT
from ops.schedule.schedule import Schedule

BEGIN = f"# >>> fortytwo-mirror {ROOT} >>>"
END = f"# <<< fortytwo-mirror {ROOT} <<<"
NOTE = """\
# Written by `make cron-install`, taken out by `make cron-remove`. Times are UTC in every time zone:
# cron calls each quarter of an hour, the script looks at the clock. No news is good news: a job
# prints something only when it failed, and cron mails that."""
BLOCK = re.compile(rf"^{re.escape(BEGIN)}\n(.*?)^{re.escape(END)}\n", re.MULTILINE | re.DOTALL)
ANY_BLOCK = re.compile(
    r"^# >>> fortytwo-mirror ([^\n]+) >>>\n.*?^# <<< fortytwo-mirror \1 <<<\n", re.M | re.S
)
DAEMONS = {"cron", "crond", "anacron", "fcron", "systemd-cron"}


def block(schedule: Schedule, variables: Mapping[str, str]) -> str:
    """The lines of the schedule, marked.

    Args:
        schedule: What runs when.
        variables: What the jobs' environment needs; no secrets, a crontab is no place for them.
    """
    assignments = [f"{name}={value}" for name, value in sorted(variables.items())]
    command = [*(["env", *assignments] if assignments else []), str(ROOT / "ops" / "scheduled.sh")]
    lines = []
    for job in schedule.jobs():
        at = schedule.time_of(job)
        text = shlex.join([*command, at or "-", job]).replace("%", r"\%")
        lines.append(f"{_minutes(schedule, at)} * * * * {text}")
    return "\n".join([BEGIN, NOTE, *lines, END, ""])


def _minutes(schedule: Schedule, at: str | None) -> str:
    """The minute field: UTC's quarters are every zone's quarters."""
    if at is None:
        return "0" if schedule.live == 60 else f"*/{schedule.live}"
    first = int(at[3:]) % 15
    return ",".join(str(first + quarter) for quarter in (0, 15, 30, 45))


def install(text: str) -> bool:
    """Put the block into the crontab; False when it is there already, to the letter."""
    before = read()
    found = installed_block(before)
    if found == text:
        return False
    if found is not None:
        after = before.replace(found, text)
    else:
        gap = "" if not before or before.endswith("\n") else "\n"
        after = f"{before}{gap}{text}"
    _write(after)
    return True


def remove() -> list[str]:
    """Take the block out of the crontab, and those of gone folders; returns the folders."""
    text = read()
    blocks = gone_blocks(text)
    found = installed_block(text)
    if found is not None:
        blocks[str(ROOT)] = found
    for block in blocks.values():
        text = text.replace(block, "")
    if blocks:
        _write(text)
    return list(blocks)


def installed_block(crontab: str) -> str | None:
    """Our block in a crontab's text.

    Raises:
        MirrorError: Its begin or its end is missing, so that nobody knows which lines are ours.
    """
    found = BLOCK.search(crontab)
    marks = crontab.count(f"{BEGIN}\n"), crontab.count(f"{END}\n")
    if marks != ((1, 1) if found else (0, 0)):
        raise MirrorError(
            "The block of fortytwo-mirror in your crontab is damaged: its first or last line is "
            f"missing or there twice. Open it with `crontab -e`, remove everything from {BEGIN!r} "
            f"to {END!r}, and run the command again. Nothing was changed."
        )
    return found[0] if found else None


def installed_schedule(crontab: str) -> Schedule | None:
    """The schedule that a crontab's text has; None when it has none."""
    found = installed_block(crontab)
    if found is None:
        return None
    times: dict[str, str] = {"SCHEDULE_LIVE": "off"}
    for minute, at, job in re.findall(r"^(\S+) .*scheduled\.sh'? (\S+) (\w+)$", found, re.M):
        live = "60" if minute == "0" else minute.removeprefix("*/")
        times[f"SCHEDULE_{job.upper()}"] = live if job == "live" else at
    return Schedule.load({"SCHEDULE_BACKUP": "off", "SCHEDULE_CHECK": "off"} | times)


def gone_blocks(crontab: str) -> dict[str, str]:
    """Blocks of folders that are not there any more, by folder: moved, renamed or deleted."""
    blocks = {found[1]: found[0] for found in ANY_BLOCK.finditer(crontab)}
    gone = (folder for folder in blocks if not Path(folder, "ops", "scheduled.sh").exists())
    return {folder: blocks[folder] for folder in gone}


def said_of(folders: Collection[str]) -> str:
    """What to tell about blocks whose folders are gone."""
    return (
        f"Your crontab has the schedule of {' and of '.join(folders)}, which is gone (moved, "
        "renamed or deleted): `make cron-remove` takes it out, `make cron-install` schedules this "
        "folder."
    )


def read(*, where_allowed: bool = False) -> str:
    """The user's crontab; empty when there is none.

    Args:
        where_allowed: Empty also where there is no cron, or none for this user: nothing is in it.

    Raises:
        MirrorError: There is no cron here, or it does not let this user in.
    """
    if where_allowed and shutil.which("crontab") is None:
        return ""
    status, text, said = _crontab("-l")
    if status == 0:
        return text
    if re.search("no crontab|No such file", said) or (where_allowed and "not allowed" in said):
        return ""
    raise MirrorError(_refusal(said))


def _write(text: str) -> None:
    status, _, said = _crontab("-", text)
    if status != 0:
        raise MirrorError(_refusal(said))


def _crontab(argument: str, text: str = "") -> tuple[int, str, str]:
    """Its exit status, output and errors. Others' lines may be in any encoding, and keep it."""
    program = shutil.which("crontab")
    if program is None:
        raise MirrorError(
            "The program crontab is not installed. Install the package cron (Debian, Ubuntu) or "
            "cronie (Fedora, Arch) and run the command again, or use systemd's timers instead: "
            "`.venv/bin/python -m ops systemd-install`."
        )
    done = subprocess.run(
        [program, argument], input=os.fsencode(text), capture_output=True, check=False
    )
    return done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr)


def _refusal(said: str) -> str:
    cause = " ".join(said.split()).rstrip(".") or "it said nothing"
    return (
        f"crontab refused: {cause}. Nothing was changed. Let an administrator allow this user "
        "(/etc/cron.allow), or use systemd's timers: `.venv/bin/python -m ops systemd-install`."
    )


def daemon_runs() -> bool:
    """Whether a cron daemon lives on this machine."""
    return any(process.info["name"] in DAEMONS for process in psutil.process_iter(["name"]))
