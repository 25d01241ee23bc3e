"""What `.env` says, and what it may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from extract.base.errors import UsageError
from extract.base.settings import file_values


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


def test_a_file_that_cannot_be_read_is_named(env_file: Path) -> None:
    env_file.mkdir()

    with pytest.raises(UsageError, match=f"settings in {env_file} cannot be read"):
        file_values()
