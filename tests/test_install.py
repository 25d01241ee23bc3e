"""Installing: from any Python, in any folder, and again when the folder has moved."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ops.schedule import pause
from tests.helpers import ROOT, run_program

STRANGE = """it's 50% "done", né"""
FILES = ("ops", "bin", "extract", "sandbox", "dbt_project")


def run(directory: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_program(*command, folder=directory, bare=True, **variables)


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
    assert told.stderr.startswith("Python 3.11, 3.12, 3.13 or 3.14 with all its modules is needed")
    assert not (place / ".venv").exists()


def test_a_python_that_was_named_and_does_not_fit_is_not_replaced_by_another(
    tmp_path: Path,
) -> None:
    place = checkout(tmp_path / "mirror")

    told = run(place, "make", "setup", PYTHON3="/nowhere/python3")

    assert told.returncode == 2
    assert "PYTHON3=/nowhere/python3 is no Python" in told.stderr
    assert not (place / ".venv").exists()


def test_a_python_that_was_built_without_a_module_is_named_with_it(tmp_path: Path) -> None:
    place = checkout(tmp_path / "mirror")
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\nexec {sys.executable} -Ic \"import sys; sys.modules['_ssl'] = None\n$2\"\n"
    )
    python.chmod(0o755)

    told = run(place, "ops/install.sh", PYTHON3=str(python))

    assert told.returncode == 2 and "without ssl." in told.stderr
    assert not (place / ".venv").exists()


def test_a_folder_in_which_no_environment_can_be_made_is_refused(tmp_path: Path) -> None:
    place = checkout(tmp_path / "this:that")

    told = run(place, "ops/install.sh")

    assert told.returncode == 2 and "has a colon" in told.stderr


@pytest.mark.parametrize(
    "command", ["install.sh", "upgrade.sh", "scheduled.sh - live", "container.sh status"]
)
def test_a_script_works_in_its_own_folder_wherever_cdpath_leads(
    command: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "ops", tmp_path / "mirror" / "ops")
    (tmp_path / "other" / "ops").mkdir(parents=True)
    for name in ("git", "python"):
        (tmp_path / name).write_text('#!/bin/sh\npwd >>"$0.seen"\nexit 1\n')
        (tmp_path / name).chmod(0o755)
    variables = dict.fromkeys(("PYTHON", "PYTHON3"), str(tmp_path / "python"))
    variables |= {"CDPATH": str(tmp_path / "other"), "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    run(tmp_path / "mirror", "sh", "-c", f"ops/{command}", **variables)

    (seen,) = tmp_path.glob("*.seen")
    assert set(seen.read_text().splitlines()) == {str(tmp_path / "mirror")}


COMMIT = "git -c user.name=nobody -c user.email=nobody@example.org commit -q --allow-empty -m 1"


def shell(directory: Path, script: str) -> str:
    told = run(directory, "sh", "-ec", script)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


@pytest.fixture
def old_version(tmp_path: Path) -> Path:
    """A clone at v0.2.0 of something with three versions, with a Python that only speaks."""
    origin = tmp_path / "origin"
    (origin / ".venv" / "bin").mkdir(parents=True)
    (origin / "ops").mkdir()
    shutil.copy(ROOT / "ops" / "upgrade.sh", origin / "ops")
    shutil.copy(ROOT / "Makefile", origin)
    (origin / ".gitignore").write_text(".paused\n")
    for program in (".venv/bin/python", "ops/install.sh"):
        (origin / program).write_text('#!/bin/sh\necho "$@" "$(ls .paused)"\n')
        (origin / program).chmod(0o755)
    shell(origin, f"git init -q -b main && git add -Af && {COMMIT} && git tag v0.1.0")
    shell(origin, f"{COMMIT} && git tag v0.2.0 && {COMMIT} && git tag v0.10.0")
    shell(tmp_path, "git clone -q origin mirror")
    shell(tmp_path / "mirror", "git checkout -q v0.2.0")
    return tmp_path / "mirror"


def break_version(origin: Path, tag: str, does: str = "exit 1") -> None:
    """Add a version whose installation fails, tagged, to the branch."""
    shell(origin, f"sed -i '1a {does}' ops/install.sh && git add -A && {COMMIT} && git tag {tag}")


def head(mirror: Path) -> str:
    return shell(mirror, "git rev-parse HEAD")


def test_an_upgrade_goes_from_one_tag_to_the_newest_while_the_schedule_waits(
    old_version: Path,
) -> None:
    told = run(old_version, "ops/upgrade.sh")

    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[:3] == [
        "-m ops backup --keep before-upgrade-v0.2.0 .paused",
        ".paused",
        "-m ops sync .paused",
    ]
    assert told.stdout.endswith("to v0.10.0. CHANGELOG.md says what changed.\n")
    assert not (old_version / ".paused").exists()


def test_an_upgrade_that_cannot_ask_for_the_versions_changes_nothing(old_version: Path) -> None:
    before = head(old_version)
    shutil.rmtree(old_version.with_name("origin"))

    told = run(old_version, "ops/upgrade.sh", "v0.1.0")

    assert (told.returncode, told.stdout, head(old_version)) == (2, "", before)
    assert "cannot be fetched: fatal: '" in told.stderr and "Nothing was changed" in told.stderr
    assert not (old_version / ".paused").exists()


def test_a_folder_in_another_repository_is_no_checkout_of_the_mirror(old_version: Path) -> None:
    theirs = old_version
    unpacked = theirs / "vendor" / "mirror"
    shutil.copytree(ROOT / "ops", unpacked / "ops")
    before = head(theirs)

    told = run(unpacked, "ops/upgrade.sh")
    (unpacked / ".git").mkdir()  # one that is none: git looks above it
    again = run(unpacked, "ops/upgrade.sh")

    for said in (told, again):
        assert (said.returncode, said.stdout) == (2, "")
        assert "This folder is no git checkout" in said.stderr
    assert head(theirs) == before


def test_an_upgrade_asks_no_other_repository_that_the_environment_names(
    old_version: Path, tmp_path: Path
) -> None:
    other = tmp_path / "origin"
    variables = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)}
    variables["GIT_INDEX_FILE"] = str(other / ".git" / "index")

    told = run(old_version, "ops/upgrade.sh", **variables)

    assert told.returncode == 0, told.stderr
    assert head(old_version) == shell(old_version, "git rev-parse v0.10.0")


def test_what_git_says_against_a_folder_is_passed_on(old_version: Path) -> None:
    told = run(old_version, "ops/upgrade.sh", GIT_TEST_ASSUME_DIFFERENT_OWNER="1")

    assert (told.returncode, told.stdout) == (2, "")
    assert "dubious ownership" in told.stderr and "as the owner of the folder" in told.stderr


def test_without_a_tag_or_a_branch_there_is_nothing_to_upgrade_to(old_version: Path) -> None:
    for place in (old_version, old_version.with_name("origin")):
        shell(place, "git tag backup-of-v9 v0.1.0 && git tag -d $(git tag --list 'v*')")

    told = run(old_version, "ops/upgrade.sh")

    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("No commit is tagged as a version here")


def test_an_upgrade_goes_to_nothing_older_and_to_no_candidate(old_version: Path) -> None:
    origin = old_version.with_name("origin")
    shell(origin, f"{COMMIT} && git tag v0.11.0-rc1 && git tag wip && git tag v-next")
    shell(old_version, "git fetch -q && git checkout -q --detach origin/main")
    before = head(old_version)

    told = run(old_version, "ops/upgrade.sh")

    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("Nothing to do: ") and "ops backup" not in told.stdout
    assert "the newest version is v0.10.0" in told.stdout
    assert head(old_version) == before
    shell(old_version, "git checkout -q v0.10.0")
    assert run(old_version, "ops/upgrade.sh").stdout.startswith("Nothing to do: this is v0.10.0")
    named = run(old_version, "ops/upgrade.sh", "v0.11.0-rc1")
    assert "Upgraded from v0.10.0 to v0.11.0-rc1" in named.stdout, named.stderr


@pytest.mark.parametrize("named", ["v9.9", "README.md", "Makefile", "main", "HEAD", "--help"])
def test_a_version_that_is_no_tag_is_refused_before_the_backup(
    old_version: Path, named: str
) -> None:
    before = head(old_version)

    told = run(old_version, "make", "upgrade", f"VERSION={named}")

    assert told.returncode == 2 and "ops backup" not in told.stdout
    assert f"There is no version {named}. There are: v0.1.0 v0.2.0 v0.10.0." in told.stderr
    assert head(old_version) == before and not (old_version / ".paused").exists()


def test_a_version_in_the_environment_is_somebody_elses(old_version: Path) -> None:
    told = run(old_version, "make", "upgrade", VERSION="3.11")

    assert told.returncode == 0, told.stderr
    assert "Upgraded from v0.2.0 to v0.10.0" in told.stdout


def test_a_version_that_is_given_to_make_is_upgraded_to(old_version: Path) -> None:
    shell(old_version, "git checkout -q v0.10.0")

    told = run(old_version, "make", "upgrade", "VERSION=v0.2.0")

    assert told.returncode == 0, told.stderr
    assert head(old_version) == shell(old_version, "git rev-parse v0.2.0")


def test_a_branch_follows_the_one_it_came_from(old_version: Path) -> None:
    origin = old_version.with_name("origin")
    shell(old_version, "git checkout -q main")
    assert "the branch main has nothing newer" in run(old_version, "ops/upgrade.sh").stdout
    shell(origin, COMMIT)

    told = run(old_version, "ops/upgrade.sh")

    assert told.returncode == 0, told.stderr
    assert head(old_version) == head(origin)
    shell(old_version, f"{COMMIT} -m own")
    shell(origin, COMMIT)
    apart = run(old_version, "ops/upgrade.sh")
    assert (apart.returncode, apart.stdout) == (2, "")
    assert "The branch main has commits that origin/main has not." in apart.stderr
    shell(old_version, "git checkout -q -b own")
    alone = run(old_version, "ops/upgrade.sh")
    assert (alone.returncode, alone.stdout) == (2, "")
    assert "The branch own follows no branch" in alone.stderr


@pytest.mark.parametrize("start", ["main", "v0.10.0"], ids=["branch", "tag"])
def test_after_a_failed_upgrade_the_schedule_waits_and_the_way_back_leads_to_the_next(
    old_version: Path, start: str
) -> None:
    origin = old_version.with_name("origin")
    shell(old_version, f"git checkout -q {start}")
    before = head(old_version)
    break_version(origin, "v0.11.0")

    told = run(old_version, "ops/upgrade.sh")
    paused = (old_version / ".paused").read_text().splitlines()
    again = run(old_version, "ops/upgrade.sh")  # it is there, and not done

    for said in (told, again):
        assert said.returncode == 1 and "ops backup" in said.stdout
        assert "The upgrade stopped, and the schedule waits" in said.stderr
        assert f"or go back: {paused[1]} && make sync && rm .paused" in said.stderr
    assert head(old_version) != before
    shell(old_version, f"{paused[1]} 2>&1 && rm .paused")
    assert head(old_version) == before
    shell(origin, f"git revert -n HEAD && {COMMIT} && git tag v0.11.1")
    mended = run(old_version, "ops/upgrade.sh")
    assert mended.returncode == 0, mended.stderr
    assert head(old_version) == head(origin)
    assert not (old_version / ".paused").exists()


def test_an_upgrade_that_was_killed_is_named_and_goes_on_when_it_is_called_again(
    old_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pause, "FILE", old_version / ".paused")
    back = f"git checkout {shell(old_version, 'git rev-parse --short HEAD')}"
    origin = old_version.with_name("origin")
    break_version(origin, "v0.11.0", "kill -9 $PPID")

    killed = run(old_version, "ops/upgrade.sh")

    assert killed.returncode == -9
    assert f"or go back (`{back} && make sync`)" in pause.left_behind(datetime.now(UTC))
    shell(origin, f"git revert -n HEAD && {COMMIT} && git tag v0.12.0")
    again = run(old_version, "ops/upgrade.sh")
    assert again.returncode == 0, again.stderr
    assert "Upgraded from v0.11.0 to v0.12.0" in again.stdout
    assert pause.left_behind(datetime.now(UTC)) == ""


def test_a_branch_comes_back_from_a_tag_that_fails(old_version: Path) -> None:
    shell(old_version, "git checkout -q main")
    break_version(old_version.with_name("origin"), "v0.11.0")

    told = run(old_version, "ops/upgrade.sh", "v0.11.0")

    assert "or go back: git checkout main && make sync" in told.stderr


def test_an_upgrade_whose_backup_fails_lets_the_schedule_go_on(old_version: Path) -> None:
    before = head(old_version)
    (old_version / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    shell(old_version, "git update-index --assume-unchanged .venv/bin/python")

    told = run(old_version, "ops/upgrade.sh")

    assert told.returncode == 1 and head(old_version) == before
    assert not (old_version / ".paused").exists()


def test_a_second_upgrade_at_the_same_time_is_refused(old_version: Path) -> None:
    (old_version / ".paused").write_text(f"{os.getpid()}\n")

    told = run(old_version, "ops/upgrade.sh")

    assert (told.returncode, told.stdout) == (2, "")
    assert "Another upgrade is at work here" in told.stderr
    assert (old_version / ".paused").exists()


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


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGHUP])
def test_an_installation_that_is_stopped_says_so_in_a_line(
    sent: signal.Signals, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "ops", tmp_path / "ops")
    python = tmp_path / "python"
    # a shell that is between two commands would go on with the second one
    sleep = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(60)"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in\n'
        f'*"venv .venv") exec {sys.executable} -c "{sleep}" "$0.called" ;;\n'
        f'*) exec {sys.executable} "$@" ;;\nesac\n'
    )
    python.chmod(0o755)
    stopped = subprocess.Popen(
        [tmp_path / "ops" / "install.sh"],
        env={"PATH": os.environ["PATH"], "PYTHON3": str(python)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (tmp_path / "python.called").exists():
        assert stopped.poll() is None
        time.sleep(0.01)

    os.killpg(stopped.pid, sent)

    _, said = stopped.communicate(timeout=30)
    # of a child that a hang-up ends the shell says so itself, before that
    assert stopped.returncode == 130
    assert said.splitlines()[-1] == "Stopped. Run the command again to go on."
