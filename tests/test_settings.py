"""What `.env` says, and what it may not say."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from extract.base.errors import UsageError
from extract.base.settings import (
    DEFAULT_API_URL,
    ROOT,
    Settings,
    duckdb_file,
    file_values,
    lake_url,
    local_directory,
    make_private,
)
from ops.backup import archive
from ops.site.pages import site_directory
from tests.helpers import run_program


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FORTYTWO_ENV_FILE", str(tmp_path / "settings"))
    return tmp_path / "settings"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("NAME='${HOME} $x #y'", "${HOME} $x #y"),
        (r"NAME='back\\slash\n'", r"back\\slash\n"),
        (r"NAME='it\'s'", "it's"),
        ("NAME=${HOME}", "${HOME}"),
        ('NAME="${HOME} # $x"', "${HOME} # $x"),
        ("NAME=a#b", "a#b"),
        ("NAME=#b", "#b"),
        ("NAME='a' # a comment", "a"),
        ("export NAME=a\r\n", "a"),
        ("\ufeffNAME=a", "a"),
        ("# NAME=b # c\nNAME=a", "a"),
        ("NAME=\u00e9", "\u00e9"),
    ],
)
def test_a_value_is_what_is_written(written: str, meant: str, env_file: Path) -> None:
    env_file.write_text(written, encoding="utf-8")

    assert file_values() == {"NAME": meant}


def test_a_value_that_was_changed_counts_at_once(env_file: Path) -> None:
    for text in ("one", "two", "one"):
        env_file.write_text(f"NAME={text}")
        assert file_values() == {"NAME": text}
        file_values().clear()  # what one caller does with it is nothing to another


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        (b"A=1\n\n\nB=s3cret #word\n", 4, "` #`"),
        (b"A=1\nB= # s3cret\n", 2, "` #`"),
        (b"A=1\ns3cret\n", 2, "no assignment"),
        (b"A='s3cret\nB=1\n", 1, "no assignment"),
        (b"A='s3'cret'\n", 1, "no assignment"),
        ("A=1\nB=s3cret\u00e9".encode("latin-1"), 2, "not UTF-8"),
        ("A=s3cret".encode("utf-16"), 1, "not UTF-8"),
        ("A=s3cret".encode("utf-16-le"), 1, "not UTF-8"),
    ],
)
def test_a_line_that_cannot_be_meant_is_named_without_its_value(
    content: bytes, line: int, why: str, env_file: Path
) -> None:
    env_file.write_bytes(content)

    with pytest.raises(UsageError, match=why) as caught:
        file_values()

    assert f"Line {line} of {env_file}" in str(caught.value)
    assert "s3" not in str(caught.value)


def test_a_file_that_does_not_exist_is_named(env_file: Path) -> None:
    with pytest.raises(UsageError, match=f"{env_file}, which does not exist"):
        file_values()


def test_a_pipe_which_can_be_read_only_once_is_refused(env_file: Path) -> None:
    os.mkfifo(env_file)

    with pytest.raises(UsageError, match=f"{env_file} cannot be read: it is a pipe"):
        file_values()


@pytest.mark.parametrize("word", ["", "0", "False", "NO", "off"])
def test_no_word_for_no_lifts_the_deletion_guard(word: str) -> None:
    names = {"FORTYTWO_CLIENT_ID": "-", "FORTYTWO_CLIENT_SECRET": "-"}

    assert not Settings.load({**names, "ALLOW_DELETES": word}).allow_deletes
    assert Settings.load({**names, "ALLOW_DELETES": "True"}).allow_deletes


def test_a_file_that_cannot_be_read_is_named(env_file: Path) -> None:
    env_file.mkdir()

    with pytest.raises(UsageError, match=f"settings in {env_file} cannot be read"):
        file_values()


def test_a_file_that_is_mounted_read_only_is_used_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def chmod(path: Path, mode: int) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setenv("FORTYTWO_LOCAL", str(tmp_path))
    monkeypatch.setattr(Path, "chmod", chmod)

    make_private()


def test_a_path_may_begin_at_the_home_folder_or_at_this_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for text, meant in {
        "~/a b": tmp_path / "a b",
        "beside": ROOT / "beside",
        f'{tmp_path}/it\'s 50% "é"': tmp_path / 'it\'s 50% "é"',
    }.items():
        monkeypatch.setenv("FORTYTWO_LOCAL", text)
        assert local_directory() == meant
        monkeypatch.setenv("BACKUP_DIRECTORY", text)
        assert archive.folder() == meant
        monkeypatch.setenv("FORTYTWO_SITE", text)
        assert site_directory() == meant


def test_a_path_of_blanks_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORTYTWO_LOCAL", "BACKUP_DIRECTORY", "FORTYTWO_SITE"):
        monkeypatch.setenv(name, "  ")

    assert local_directory() == ROOT / ".local"
    assert archive.folder() == ROOT / ".local" / "backups"
    assert site_directory() == ROOT / "site"


@pytest.mark.parametrize("url", ["file://srv/lake", "file:srv/lake", "file://"])
def test_a_folder_given_as_file_is_a_whole_path(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", url)

    with pytest.raises(UsageError, match="DESTINATION__FILESYSTEM__BUCKET_URL is"):
        lake_url()

    for whole in ("file:/srv/a%20b", "file:///srv/a%20b", "file://localhost/srv/a%20b"):
        monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", whole)
        assert lake_url() == "/srv/a b"


def test_a_database_of_motherduck_is_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTYTWO_DUCKDB", "md:fortytwo")
    assert duckdb_file() == "md:fortytwo"


@pytest.mark.parametrize("text", ["two\nlines", "~nobody-of-this-name/a", "long" * 100])
def test_a_path_that_cannot_be_meant_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("BACKUP_DIRECTORY", text)

    with pytest.raises(UsageError, match="BACKUP_DIRECTORY"):
        archive.folder()


def test_no_proxy_is_asked_for_this_machine() -> None:
    script = (
        "import extract, requests; from requests.utils import get_environ_proxies as proxies;"
        "print([bool(proxies(f'http://{host}/v2')) for host in"
        " ('127.0.0.1:4242', 'localhost:4242', '[::1]:4242', 'intern.example', 'api.example')])"
    )
    proxy = "http://127.0.0.1:9"
    variables = {"HTTP_PROXY": proxy, "ALL_PROXY": proxy, "no_proxy": "intern.example"}

    told = run_program(sys.executable, "-c", script, bare=True, **variables)

    assert told.stdout == "[False, False, False, False, True]\n"


def test_the_address_of_the_api_may_be_given_with_its_version() -> None:
    given = {"FORTYTWO_CLIENT_ID": "a", "FORTYTWO_CLIENT_SECRET": "b"}
    for address in (DEFAULT_API_URL, f"{DEFAULT_API_URL}/", f"{DEFAULT_API_URL}/v2/"):
        assert Settings.load({**given, "FORTYTWO_API_URL": address}).api_url == DEFAULT_API_URL
