"""Files of others stay as they are: their folders are not used, and nothing is left elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from extract.base.errors import UsageError
from extract.base.folders import MARK
from extract.base.settings import local_directory
from ops.site.pages import site_directory
from tests.helpers import ROOT, api, run_module

THEIRS = (
    "dlt/project.py",
    "listings/listings.sqlite",
    "listings/prices.csv",
    "postgres.new/PG_VERSION",
)


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def fill(folder: Path, *names: str) -> dict[str, str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("theirs")
    return files(folder)


@pytest.mark.parametrize("name", THEIRS)
def test_a_local_folder_with_files_of_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / "theirs"
    before = fill(folder, name)
    monkeypatch.setenv("FORTYTWO_LOCAL", str(folder))

    with pytest.raises(UsageError, match=r"FORTYTWO_LOCAL is .* did not make"):
        local_directory()
    assert files(folder) == before


@pytest.mark.parametrize(
    "command",
    [("extract", "run"), ("ops", "sync"), ("ops", "backup"), ("extract.embedded", "start")],
)
def test_no_command_touches_a_folder_of_others(tmp_path: Path, command: tuple[str, str]) -> None:
    folder = tmp_path / "theirs"
    before = fill(folder, *THEIRS)

    done = run_module(*command, FORTYTWO_LOCAL=str(folder), **api())

    assert done.returncode == 2, done.stdout + done.stderr
    assert "FORTYTWO_LOCAL" in done.stderr
    assert files(folder) == before


def test_a_new_or_empty_folder_gets_the_mark_and_stays_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty" / "lost+found").mkdir(parents=True)
    for name in ("new/below", "empty"):
        monkeypatch.setenv("FORTYTWO_LOCAL", str(tmp_path / name))
        folder = local_directory()
        assert (folder / MARK).is_file()
    assert (tmp_path / "new" / "below").stat().st_mode & 0o077 == 0


def test_a_folder_of_a_version_before_the_mark_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "used", "logs/fortytwo-2025-12-01.jsonl.gz", "jobs.json")
    monkeypatch.setenv("FORTYTWO_LOCAL", str(tmp_path / "used"))

    assert (local_directory() / MARK).is_file()


def test_pages_are_not_put_among_those_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fill(tmp_path / "www", "index.html", "status.html")
    monkeypatch.setenv("FORTYTWO_SITE", str(tmp_path / "www"))

    with pytest.raises(UsageError, match="FORTYTWO_SITE"):
        site_directory()
    assert files(tmp_path / "www") == before

    monkeypatch.setenv("FORTYTWO_SITE", str(tmp_path / "pages"))
    assert site_directory().stat().st_mode & 0o777 == 0o755


@pytest.mark.slow
def test_an_extraction_leaves_nothing_elsewhere(
    sandbox: str, database: dict[str, str], tmp_path: Path
) -> None:
    places = {name: tmp_path / name for name in ("home", "temporary", "here")}
    for place in places.values():
        place.mkdir()
    variables = {
        **database,
        **api(sandbox),
        "FORTYTWO_ENV_FILE": os.devnull,
        "FORTYTWO_LOCAL": os.environ["FORTYTWO_LOCAL"],
        "HOME": str(places["home"]),
        "TMPDIR": str(places["temporary"]),
        "PYTHONPATH": str(ROOT),  # the project is not installed: it runs from its folder
    }
    for command in ("run", "copy"):
        done = run_module("extract", command, folder=places["here"], bare=True, **variables)
        assert done.returncode == 0, done.stdout + done.stderr

    state = places["home"] / ".local" / "state" / "fortytwo-mirror"
    left = [path for path in places["home"].rglob("*") if path.is_file()]
    assert left != []  # the quota's, in the documented place
    assert all(path.is_relative_to(state) for path in left)
    assert list(places["temporary"].iterdir()) == []
    assert list(places["here"].iterdir()) == []
