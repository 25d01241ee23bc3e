"""The schedule in a crontab and in systemd's timers, in any time zone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from extract.base.errors import MirrorError, UsageError
from extract.base.settings import ROOT
from ops import uninstall
from ops.cli import app
from ops.schedule import crontab, pause, units
from ops.schedule.schedule import Schedule, need_settings_in_file, own_variables
from ops.status import status
from tests.helpers import run_program

SCRIPT = ROOT / "ops" / "scheduled.sh"
OTHERS = "MAILTO=root\n# mine\n5 4 * * * /usr/bin/true # fortytwo\n"
Crontab = Callable[..., str]


def jobs_in(text: str) -> list[str]:
    return re.findall(r"scheduled\.sh'? \S+ (\w+)$", text, re.M)


def test_installing_keeps_every_other_line_and_removing_restores_the_crontab(
    crontab_program: Crontab, credentials: Path
) -> None:
    crontab_program(OTHERS)

    assert CliRunner().invoke(app, ["cron-install"]).exit_code == 0

    text = crontab_program()
    assert text.startswith(OTHERS)
    assert jobs_in(text) == ["live", "full", "backup", "check"]
    assert CliRunner().invoke(app, ["cron-remove"]).exit_code == 0
    assert crontab_program() == OTHERS


def test_installing_twice_changes_nothing(crontab_program: Crontab, credentials: Path) -> None:
    CliRunner().invoke(app, ["cron-install"])
    first = crontab_program()

    again = CliRunner().invoke(app, ["cron-install"])

    assert "there already" in again.output
    assert crontab_program() == first
    assert first.count(crontab.BEGIN) == 1


def test_new_times_replace_the_block_where_it_stands(
    crontab_program: Crontab, credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CliRunner().invoke(app, ["cron-install"])
    crontab_program(f"{crontab_program()}{OTHERS}")

    times = {"FULL": "02:40", "LIVE": "30", "BACKUP": "off", "CHECK": "08:05"}
    for job, value in times.items():
        monkeypatch.setenv(f"SCHEDULE_{job}", value)
    result = CliRunner().invoke(app, ["cron-install"])

    text = crontab_program()
    assert result.exit_code == 0
    assert text.endswith(OTHERS)
    assert "*/30 * * * * " in text
    assert "10,25,40,55 * * * * " in text
    assert "02:40 full" in text
    assert jobs_in(text) == ["live", "full", "check"]
    installed = crontab.installed_schedule(text)
    assert installed == Schedule(full="02:40", live=30, backup="off", check="08:05")


def test_a_crontab_without_a_last_newline_stays_two_lines(
    crontab_program: Crontab, credentials: Path
) -> None:
    if "nobody" in Path(str(shutil.which("crontab"))).read_text():
        pytest.skip("the real program refuses such a file")
    crontab_program("0 0 * * * true")

    CliRunner().invoke(app, ["cron-install"])

    assert crontab_program().startswith(f"0 0 * * * true\n{crontab.BEGIN}\n")


def test_lines_in_another_encoding_stay_as_they_are(
    crontab_program: Crontab, credentials: Path
) -> None:
    others = b"# caf\xe9\r\n5 4 * * * true\n"
    subprocess.run(["crontab", "-"], input=others, check=True)
    before = subprocess.run(["crontab", "-l"], capture_output=True).stdout

    for command in ("cron-install", "cron-show", "cron-remove"):
        assert CliRunner().invoke(app, [command]).exit_code == 0
    assert subprocess.run(["crontab", "-l"], capture_output=True).stdout == before


def test_a_damaged_block_is_left_alone(crontab_program: Crontab, credentials: Path) -> None:
    damaged = f"{crontab.BEGIN}\n* * * * * true\n"
    crontab_program(damaged)

    with pytest.raises(MirrorError, match="damaged"):
        crontab.install("anything")

    assert crontab_program() == damaged


def test_show_prints_the_lines_and_installs_nothing(
    crontab_program: Crontab, credentials: Path
) -> None:
    result = CliRunner().invoke(app, ["cron-show"])

    assert "Not installed" in result.output
    assert jobs_in(result.output) == ["live", "full", "backup", "check"]
    assert crontab_program() == ""


def test_without_the_program_the_message_names_the_package_and_the_alternative(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MirrorError, match=r"package cron .*systemd-install"):
        crontab.read()


def test_a_crontab_that_refuses_the_user_is_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "crontab"
    program.write_text(
        "#!/bin/sh\necho 'You (x) are not allowed to use this program' >&2\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(MirrorError, match="not allowed"):
        crontab.install("anything")

    # whom cron does not let in may have timers, and can look and leave all the same
    found = status.Status(datetime.now(UTC))
    monkeypatch.setattr(status, "SYSTEMD", tmp_path)
    monkeypatch.setattr(units, "next_runs", lambda: {"full": found.at})
    status._read_schedule(found)
    assert (found.scheduled_by, found.schedule_stopped) == ("systemd", "")
    assert uninstall._schedule() is not None
    assert "Not installed" in CliRunner().invoke(app, ["cron-show"]).output


def test_no_secret_gets_into_the_lines_but_the_places_do(
    monkeypatch: pytest.MonkeyPatch, credentials: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("FORTYTWO_LOCAL", str(tmp_path / "100% mine"))
    credentials.write_text(f"{credentials.read_text()}WEBHOOK_URL=https://example.com/s3cret\n")

    need_settings_in_file()
    text = crontab.block(Schedule(), own_variables(Schedule()))

    assert "SECRET" not in text
    assert "s3cret" not in text
    assert r"100\% mine" in text
    assert f"FORTYTWO_ENV_FILE={credentials}" in text


@pytest.mark.parametrize("name", ["FORTYTWO_CLIENT_SECRET", "PGHOST", "BACKUP_AGE_RECIPIENT"])
def test_a_setting_that_cron_would_not_see_is_refused_by_name(
    name: str, monkeypatch: pytest.MonkeyPatch, credentials: Path
) -> None:
    monkeypatch.setenv(name, "exported only")

    with pytest.raises(UsageError, match=f"{name} is exported") as caught:
        need_settings_in_file()

    assert "exported only" not in str(caught.value)


def test_without_credentials_in_the_file_nothing_is_scheduled() -> None:
    with pytest.raises(UsageError, match="never mirrors the sandbox"):
        need_settings_in_file()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCHEDULE_FULL", "25:00"),
        ("SCHEDULE_FULL", "off"),
        ("SCHEDULE_LIVE", "7"),
        ("SCHEDULE_BACKUP", "3"),
        ("SCHEDULE_BACKFILL_CALLS", "-1"),
    ],
)
def test_a_time_that_cannot_be_meant_so_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name):
        Schedule.load({name: value})


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York"])
@pytest.mark.parametrize(("minutes", "runs"), [(0, True), (-14, True), (-16, False), (1, False)])
def test_the_script_acts_at_the_utc_time_in_every_time_zone(
    zone: str, minutes: int, runs: bool, tmp_path: Path
) -> None:
    """`minutes` is where the job's time lies from now; cron may be up to a quarter late."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$@"\npwd\numask\n')
    python.chmod(0o755)
    while datetime.now(UTC).second > 57:  # the script shall see the same minute
        time.sleep(0.5)
    at = datetime.now(UTC) + timedelta(minutes=minutes)

    time_and_job = (f"{at:%H:%M}", "full")
    done = run_program(SCRIPT, *time_and_job, bare=True, TZ=zone, PYTHON=str(python))

    said = f"-m ops scheduled full\n{ROOT}\n0077\n" if runs else ""
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


@pytest.mark.parametrize(("minutes", "waits"), [(-1, True), (1, False)])
def test_the_script_waits_as_long_as_the_status_says(
    minutes: int, waits: bool, tmp_path: Path
) -> None:
    script = tmp_path / "ops" / "scheduled.sh"
    script.parent.mkdir()
    shutil.copy(SCRIPT, script)
    file = tmp_path / pause.FILE.name
    file.touch()
    since = (datetime.now(UTC) - pause.AT_MOST - timedelta(minutes=minutes)).timestamp()
    os.utime(file, (since, since))

    done = run_program(script, "-", "live", bare=True, PYTHON="/bin/echo")

    assert (done.returncode, done.stdout) == (0, "" if waits else "-m ops scheduled live\n")


def test_cron_can_run_the_installed_line(
    crontab_program: Crontab, credentials: Path, tmp_path: Path
) -> None:
    """As cron does: by /bin/sh with hardly any environment, and a `%` no longer escaped."""
    CliRunner().invoke(app, ["cron-install"])
    line = next(line for line in crontab_program().splitlines() if line.endswith(" live"))
    command = line.split(" ", 5)[5].replace(r"\%", "%").replace("live", "nonsense")

    variables = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SHELL": "/bin/sh"}
    done = run_program("/bin/sh", "-c", command, folder=Path("/"), bare=True, **variables)

    assert done.returncode == 2
    assert "There is no job 'nonsense'" in done.stderr


def test_next_runs_are_in_utc_and_the_full_pass_keeps_its_hour_free() -> None:
    now = datetime(2025, 11, 21, 0, 10, 30, tzinfo=UTC)
    schedule = Schedule()

    runs = schedule.next_runs(now)

    assert runs["live"] == datetime(2025, 11, 21, 0, 15, tzinfo=UTC)
    assert runs["full"] == datetime(2025, 11, 21, 1, 0, tzinfo=UTC)
    assert schedule.before_full(now)
    assert not schedule.before_full(now - timedelta(minutes=15))


def test_the_units_are_what_systemd_accepts(
    credentials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "units"
    monkeypatch.setenv("SCHEDULE_FULL", "02:00")
    monkeypatch.setenv("SCHEDULE_CHECK", "off")

    result = CliRunner().invoke(app, ["systemd-install", "--directory", str(directory)])

    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in directory.iterdir())
    assert names == [
        "fortytwo-mirror-backup.timer",
        "fortytwo-mirror-full.timer",
        "fortytwo-mirror-live.timer",
        "fortytwo-mirror@.service",
    ]
    timer = (directory / "fortytwo-mirror-full.timer").read_text()
    assert "OnCalendar=*-*-* 02:00:00 UTC" in timer
    assert "Persistent=true" in timer
    service = (directory / "fortytwo-mirror@.service").read_text()
    assert f'Environment="FORTYTWO_ENV_FILE={credentials}"' in service
    assert 'Environment="SCHEDULE_FULL=02:00"' in service
    assert f'ExecStart="{SCRIPT}" - %i' in service
    if shutil.which("systemd-analyze"):
        (directory / "fortytwo-mirror@full.service").write_text(service)
        checked = run_program("systemd-analyze", "verify", *sorted(directory.glob("*l.*")))
        assert "fortytwo" not in checked.stderr, checked.stderr
        assert checked.returncode == 0


def test_the_timers_of_another_checkout_stay_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, directory = tmp_path / "50% other", tmp_path / "units"
    other.mkdir()
    monkeypatch.setattr(units, "ROOT", other)
    units.install(units.units(Schedule(), {}), directory)
    before = (directory / "fortytwo-mirror@.service").read_text()
    # the name of one begins with that of the other
    monkeypatch.setattr(units, "ROOT", tmp_path / "50% o")

    assert units.checkout(directory) == other
    with pytest.raises(MirrorError, match="those of the checkout in"):
        units.install(units.units(Schedule(), {}), directory)
    assert (directory / "fortytwo-mirror@.service").read_text() == before
    monkeypatch.setattr(units, "default_directory", lambda: directory)
    for root, listed in ((tmp_path / "50% o", 0), (other, 1)):
        monkeypatch.setattr(uninstall, "ROOT", root)
        assert sum("timers" in part.name for part in uninstall._schedule()) == listed
    other.rmdir()
    units.install(units.units(Schedule(), {}), directory)
    assert units.checkout(directory) == tmp_path / "50% o"


def test_a_timer_that_is_off_now_is_taken_away(tmp_path: Path) -> None:
    units.install(units.units(Schedule(), {}), tmp_path)

    units.install(units.units(Schedule(check="off"), {}), tmp_path)

    assert not (tmp_path / "fortytwo-mirror-check.timer").exists()


def test_when_timers_fire_is_asked_of_systemd(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "systemctl"
    program.write_text(
        '#!/bin/sh\ncase "$*" in *--user*full.timer) echo "Sat 2025-11-22 01:00:00 UTC";; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert units.next_runs() == {"full": datetime(2025, 11, 22, 1, 0, tzinfo=UTC)}


def moved_block(folder: Path) -> str:
    """The schedule of another folder, as it would have written it."""
    return crontab.block(Schedule(), {}).replace(str(ROOT), str(folder))


def test_the_schedule_of_a_folder_that_is_gone_is_named_and_can_be_taken_out(
    crontab_program: Crontab, credentials: Path, tmp_path: Path
) -> None:
    gone, there = tmp_path / "it's gone", tmp_path / "there"
    (there / "ops").mkdir(parents=True)
    (there / "ops" / "scheduled.sh").touch()
    crontab_program(f"{OTHERS}{moved_block(gone)}{moved_block(there)}")

    shown = CliRunner().invoke(app, ["cron-show"])

    assert f"the schedule of {gone}, which is gone" in " ".join(shown.output.split())
    assert str(there) not in shown.output
    reading = status.Status(datetime.now(UTC))
    status._read_schedule(reading)
    assert f"schedule of {gone}" in reading.schedule_stopped
    CliRunner().invoke(app, ["cron-remove"])
    assert crontab_program() == f"{OTHERS}{moved_block(there)}"


def test_without_credentials_the_schedule_is_shown_and_what_is_missing_said(
    crontab_program: Crontab,
) -> None:
    result = CliRunner().invoke(app, ["cron-show"])

    assert result.exit_code == 0
    assert jobs_in(result.output) == ["live", "full", "backup", "check"]
    assert "never mirrors the sandbox" in " ".join(result.output.split())
