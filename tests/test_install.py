"""Installing: from any Python, in any folder, and again when the folder has moved."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

STRANGE = """it's 50% "done", né"""
FILES = ("ops", "bin", "extract", "sandbox", "dbt_project")


def run(directory: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=directory,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def checkout(directory: Path) -> Path:
    """The files of this project, without an environment, settings or data."""
    directory.mkdir(parents=True)
    for name in FILES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, directory / name, symlinks=True, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".env":
            shutil.copy(path, directory)
    return directory


def test_without_a_fitting_python_the_installation_says_so_and_makes_nothing(
    tmp_path: Path,
) -> None:
    place = checkout(tmp_path / "mirror")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "grep", "env"):
        (programs / name).symlink_to(str(shutil.which(name)))
    (programs / "python3").symlink_to(str(shutil.which("false")))

    told = run(place, "ops/install.sh", PATH=str(programs))

    assert told.returncode == 2
    assert told.stderr.startswith("Python 3.11, 3.12, 3.13 or 3.14 with its module venv is needed")
    assert not (place / ".venv").exists()


def test_a_python_that_was_named_and_does_not_fit_is_not_replaced_by_another(
    tmp_path: Path,
) -> None:
    place = checkout(tmp_path / "mirror")

    told = run(place, "make", "setup", PYTHON3="/nowhere/python3")

    assert told.returncode == 2
    assert "PYTHON3=/nowhere/python3 is no Python" in told.stderr
    assert not (place / ".venv").exists()


def test_a_folder_in_which_no_environment_can_be_made_is_refused(tmp_path: Path) -> None:
    place = checkout(tmp_path / "this:that")

    told = run(place, "ops/install.sh")

    assert told.returncode == 2 and "has a colon" in told.stderr


@pytest.fixture
def old_version(tmp_path: Path) -> Path:
    """A clone at v0.2.0 of something with three versions, with a Python that only speaks."""
    origin = tmp_path / "origin"
    (origin / ".venv" / "bin").mkdir(parents=True)
    (origin / "ops").mkdir()
    shutil.copy(ROOT / "ops" / "upgrade.sh", origin / "ops")
    for program in (".venv/bin/python", "ops/install.sh"):
        (origin / program).write_text('#!/bin/sh\necho "$@" "$(ls .paused)"\n')
        (origin / program).chmod(0o755)
    commit = "git -c user.name=nobody -c user.email=nobody@example.org commit -qm 1 --allow-empty"
    script = f"git init -q && git add -Af && {commit} && git tag v0.1.0 && git tag v0.2.0"
    script += f" && {commit} && git tag v0.10.0 && git clone -q . ../mirror"
    assert run(origin, "sh", "-c", script).returncode == 0
    assert run(tmp_path / "mirror", "git", "checkout", "-q", "v0.2.0").returncode == 0
    return tmp_path / "mirror"


def test_an_upgrade_goes_from_one_tag_to_the_newest_while_the_schedule_waits(
    old_version: Path,
) -> None:
    told = run(old_version, "ops/upgrade.sh")

    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[:3] == [
        "-m ops backup .paused",
        ".paused",
        "-m ops sync .paused",
    ]
    assert told.stdout.endswith("to v0.10.0. CHANGELOG.md says what changed.\n")
    assert not (old_version / ".paused").exists()


def test_an_upgrade_that_cannot_reach_the_new_version_stops_and_says_the_way_back(
    old_version: Path,
) -> None:
    shutil.rmtree(old_version.with_name("origin"))

    told = run(old_version, "ops/upgrade.sh", VERSION="v0.1.0")

    assert told.returncode != 0 and "ops sync" not in told.stdout
    assert "The upgrade stopped. Back: git checkout" in told.stderr
    assert not (old_version / ".paused").exists()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout in a folder of a strange name, installed with a mask that hides it from others."""
    place = checkout(tmp_path_factory.mktemp("installed") / STRANGE)
    told = run(place, "bash", "-c", "umask 077; make setup")
    assert told.returncode == 0, told.stderr
    yield place
    run(place, "make", "database-stop")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sync_in_any_folder_without_home_through_no_proxy_and_in_any_locale(
    installed: Path,
) -> None:
    dead = "http://127.0.0.1:9"
    variables = {"HTTP_PROXY": dead, "http_proxy": dead, "ALL_PROXY": dead, "LC_ALL": "C"}

    told = run(installed, ".venv/bin/python", "-m", "ops", *SMALL, **variables)

    assert told.returncode == 0, told.stdout + told.stderr
    assert "published" in told.stdout
    size = run(installed, "du", "-sm", ".venv").stdout.split()[0]
    assert int(size) <= 520
    assert list(installed.glob(".venv/vega-*.js")), "the pages' script is part of it"
    assert run(installed, "make", "setup").stdout == "", "it is not made anew"


SMALL = ("sync", "--sandbox-scale", "small")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_copied_and_a_renamed_checkout_run_their_own_code_on_their_own_database(
    installed: Path, tmp_path: Path
) -> None:
    copy, renamed = tmp_path / "copy", tmp_path / "renamed"
    ignored = shutil.ignore_patterns(".local")
    shutil.copytree(installed, copy, symlinks=True, ignore=ignored)
    mark = "import os; os.environ.setdefault('PGAPPNAME', 'the copy'); "
    programs = copy / "extract" / "programs.py"
    programs.write_text(programs.read_text().replace("\nimport gc", f"\n{mark}import gc", 1))
    who = "select current_setting('application_name'), current_setting('data_directory')"

    def asks(place: Path) -> list[str]:
        script = f". .venv/bin/activate; cd /; psql -XAt -F ' ' -c \"{who}\""
        told = run(place, "bash", "-c", script)
        assert told.returncode == 0, told.stderr
        return told.stdout.rstrip("\n").split(" ", 2)

    try:
        assert asks(copy) == ["the", "copy", str(copy / ".local" / "postgres")]
        (copy / ".env").write_text("PGPORT=five\n")
        told = run(copy, "bin/dbt", "build")
        assert (told.returncode, told.stderr[:22]) == (2, "dbt: PGPORT is 'five';")
        (copy / ".env").unlink()
        run(copy, "make", "database-stop")
        copy.rename(renamed)
        assert asks(renamed) == ["the", "copy", str(renamed / ".local" / "postgres")]
        told = run(renamed, "make", "setup")
        assert "Installing into .venv" in told.stdout, "what pip wrote down names the old folder"
        assert run(renamed, "make", "setup").stdout == ""
    finally:
        for place in (copy, renamed):
            if place.is_dir():
                run(place, "make", "database-stop")


def test_a_second_installation_at_the_same_time_waits_for_the_first() -> None:
    first = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)
    second = subprocess.Popen([ROOT / "ops" / "install.sh"], stdout=subprocess.PIPE, text=True)
    try:
        assert second.stdout is not None
        assert second.stdout.readline().endswith("waiting for it\n")
    finally:
        os.close(first)
    assert second.wait(60) == 0
