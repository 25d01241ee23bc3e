"""Which backups stay, by their names and their ages."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.backup import archive
from ops.cli import app


def test_a_year_of_backups_leaves_seven_days_and_four_weeks(tmp_path: Path) -> None:
    strangers = {
        *("fortytwo-other-20200101T000000Z.dump", "notes.txt", "fortytwo-old.dump", "film.part"),
        "fortytwo-20200101T000000Z.dump",  # one of ours by its name, without our note
    }
    for name in strangers:
        (tmp_path / name).write_text("")

    now = datetime(2025, 11, 21, 3, 0, tzinfo=UTC)
    for day in reversed(range(365)):
        for hour in (5, 0):
            path = archive.new_path(tmp_path, "fortytwo", now - timedelta(days=day, hours=hour))
            path.write_text("")
            archive.Manifest("2025", "fortytwo", "PostgreSQL 18", 0, "", {}).write(path)
        archive.rotate(tmp_path, "fortytwo")

    left = {path.name for path in tmp_path.iterdir()} - strangers
    days = sorted(name[9:17] for name in left if name.endswith(".dump"))
    assert len(left) == 2 * len(days)
    assert days[-7:] == [f"202511{day}" for day in range(15, 22)]
    assert days[:-7] == ["20251102", "20251109"]  # with the newest two weeks, four
    assert all("T030000Z" in name or "T220000Z" in name for name in left)
    assert sum(name.endswith("T030000Z.dump") for name in left) == 1  # the newest of all
    assert strangers <= {path.name for path in tmp_path.iterdir()}
    assert archive.rotate(tmp_path, "fortytwo") == []


@pytest.mark.slow
def test_the_backup_before_an_upgrade_stays_whatever_is_saved_afterwards(
    mirrored: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BACKUP_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("BACKUP_KEEP_DAILY", "1")
    monkeypatch.setenv("BACKUP_KEEP_WEEKLY", "0")
    upgrading = ["backup", "--keep", "before-upgrade-v0.1.0"]

    for command in (["backup"], upgrading, ["backup"], upgrading, ["backup"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        time.sleep(1 - time.time() % 1)  # a name is of a second

    kept = sorted(path for path in tmp_path.glob("before-upgrade-v0_1_0-*.dump"))
    assert len(kept) == 2 and len(list(tmp_path.glob("*.dump"))) == 3
    assert CliRunner().invoke(app, ["restore", "--file", str(kept[0]), "--force"]).exit_code == 0
    both = CliRunner().invoke(app, ["backup", "--file", "x.dump", "--keep", "before"])
    assert both.exit_code == 2


def test_a_schedule_that_stopped_never_removes_the_last_backups(tmp_path: Path) -> None:
    old = datetime(2020, 1, 1, tzinfo=UTC)
    for day in range(3):
        archive.new_path(tmp_path, "fortytwo", old + timedelta(days=day)).write_text("")

    assert archive.rotate(tmp_path, "fortytwo") == []


def test_a_name_with_digits_that_are_no_time_is_none_of_ours(tmp_path: Path) -> None:
    for name in (
        "fortytwo-20261399T999999Z.dump",
        "fortytwo-20261399T999999Z.dump.part",
        "fortytwo-00000101T000000Z.dump.age",
    ):
        (tmp_path / name).write_text("theirs")
    (tmp_path / "fortytwo-20260101T000000Z.dump").symlink_to(tmp_path / "nowhere")

    assert archive.backups(tmp_path) == []
    assert archive.unfinished(tmp_path, "fortytwo") == []
