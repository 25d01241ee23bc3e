r"""Configuration: environment variables first, then `.env` at the repository root.

FORTYTWO_ENV_FILE names another file, such as /dev/null for none. A line of it is `NAME=value`. In
single quotes a value is verbatim (only `\'` is a quote), in double quotes it knows the escapes of
dotenv, and nowhere is a variable put in for its name.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dotenv.parser import Original, parse_stream

from extract.base.errors import UsageError
from extract.base.folders import own_folder

ROOT = Path(__file__).resolve().parents[2]
# the secret dies monthly; from so many days before it is asked for a new one
WARN_SECRET_DAYS = 7
LONGEST_DAYS = 36_500  # a century: what is counted back from today stays a date
MIN_GUARDED_ROWS = 20  # fewer may always go, whatever share they are; the publication says the same
DEFAULT_API_URL = "https://api.intra.42.fr"
# an unquoted value with what may be a comment or the rest of a secret
AMBIGUOUS = re.compile(r"""[^=]*=[^\S\n]*([^'"\s][^\n]*)?\s#""")
# in single quotes, where the parser would make one backslash of two
VERBATIM = re.compile(r"[^=]*=[^\S\n]*'((?:\\'|[^'])*)'")
NOT_UTF8 = "it is not UTF-8 text. Save the file as UTF-8"


def environment() -> dict[str, str]:
    """The process environment over the values of `.env` (set but empty counts as not set).

    Raises:
        UsageError: The file cannot be read, or says something that may be meant in two ways.
    """
    return file_values() | {key: value for key, value in os.environ.items() if value}


def file_values() -> dict[str, str]:
    """What stands in `.env`, whatever is exported here; see `environment`."""
    named = os.environ.get("FORTYTWO_ENV_FILE")
    file = Path(named or ROOT / ".env")
    content = _content(file, named=bool(named))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong_line(file, content[: error.start].count(b"\n") + 1, NOT_UTF8) from None
    if "\0" in text:
        raise _wrong_line(file, text[: text.index("\0")].count("\n") + 1, NOT_UTF8)
    return dict(_values(file, text))


@lru_cache(maxsize=1)  # a pass asks for settings 170 times, and to read .env.example takes 2 ms
def _values(file: Path, text: str) -> dict[str, str]:
    values = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key and binding.value is None):
            raise _wrong_line(file, _line(binding.original), "it is no assignment NAME=value")
        if binding.key and AMBIGUOUS.match(binding.original.string.lstrip("\n")):
            raise _wrong_line(
                file,
                _line(binding.original),
                f"the value of {binding.key} has ` #` in it, a comment or a part of the value. Put "
                "the value into single quotes, or the comment on a line of its own",
            )
        if binding.key and binding.value:
            quoted = VERBATIM.match(binding.original.string)
            values[binding.key] = quoted[1].replace(r"\'", "'") if quoted else binding.value
    return values


def _content(file: Path, *, named: bool) -> bytes:
    if file.is_fifo():  # empty when it is read again, by this process or by one that it starts
        raise UsageError(
            f"The settings in {file} cannot be read: it is a pipe, which can be read only once. "
            "Name a file, or export the settings."
        )
    try:
        return file.read_bytes()
    except FileNotFoundError:
        if not named:
            return b""
        raise UsageError(
            f"FORTYTWO_ENV_FILE names {file}, which does not exist. Correct the path, or unset it "
            "to use the .env of this directory."
        ) from None
    except OSError as error:
        raise UsageError(f"The settings in {file} cannot be read: {error.strerror}.") from None


def _line(original: Original) -> int:
    """Where a binding's own text begins: the parser counts the blank lines before it as its own."""
    text = original.string
    return original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _wrong_line(file: Path, line: int, what: str) -> UsageError:
    """Never the value, which may be a secret."""
    return UsageError(f"Line {line} of {file} cannot be read: {what}.")


def path_of(name: str, default: Path) -> Path:
    """The path that a setting names: `~` is the home folder, a relative one is below ROOT.

    Raises:
        UsageError: No program could use it.
    """
    text = environment().get(name, "")
    if not text.strip():  # blanks are no name that anybody means
        return default
    if not text.isprintable():
        raise UsageError(f"{name} has a line break or another control character in it: rename it.")
    try:
        path = ROOT / Path(text).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{name} is {text!r}, and nobody knows that home folder. Give the whole path."
        ) from None
    try:
        path.lstat()
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise UsageError(
                f"{name} cannot be used: {error.strerror}. Name another path."
            ) from None
    return path


def _local() -> Path:
    return path_of("FORTYTWO_LOCAL", ROOT / ".local")


def working_directory(name: str) -> Path:
    """A folder for dlt: below `.local/`, in /tmp where that path has a %, which dlt fills in."""
    directory = local_directory() / name
    if "%" not in str(directory):
        return directory
    path = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path("/tmp", f"fortytwo-mirror-{path}-{name}")


def duckdb_file() -> str:
    """The file of the destination `duckdb`, which is profiles.yml's target of that name.

    `md:` and a name is a database of MotherDuck, not a file.
    """
    name = environment().get("FORTYTWO_DUCKDB", "")
    if name.startswith("md:"):
        return name
    return str(path_of("FORTYTWO_DUCKDB", _local() / "fortytwo.duckdb"))


def lake_url() -> str:
    """The folder or bucket of the destination `filesystem`, where profiles.yml's `spark` reads.

    A folder is a path, also when it is given as file:///…: of the two, Spark decodes neither.

    Raises:
        UsageError: It names a folder, but not from the root on.
    """
    name = "DESTINATION__FILESYSTEM__BUCKET_URL"
    url = environment().get(name, "")
    if url.startswith("file:"):
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise UsageError(
                f"{name} is {url!r}, and a folder given as file: is a whole path. Write three "
                "slashes, as in file:///srv/lake, or the path alone."
            )
        return unquote(parts.path)
    return url if "://" in url else str(path_of(name, _local() / "lake"))


def local_directory() -> Path:
    """Everything this machine keeps beside the database: `.local/`, or FORTYTWO_LOCAL.

    Raises:
        UsageError: FORTYTWO_LOCAL holds somebody else's files.
    """
    path = _local()
    if path.is_relative_to(ROOT):
        return path
    earlier = (("logs/fortytwo-*.jsonl*", ""), ("postgres.held", ""))
    return own_folder("FORTYTWO_LOCAL", path, 0o700, earlier)


def make_private() -> None:
    """Close `.local/` and `.env` to other users, whoever made them first.

    Another directory or file of one's own choice stays as it is.
    """
    directory = local_directory()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory == ROOT / ".local":
        directory.chmod(0o700)
    with suppress(OSError):  # there may be none, or it is lent to us: somebody else's, read-only
        (ROOT / ".env").chmod(0o600)


@dataclass(frozen=True)
class Settings:
    """What a run needs to know. Secrets are left out of the repr.

    Attributes:
        api_url: Scheme and host of the API, without `/v2`.
        max_delete_fraction: Share of a table (0-1) that one pass may delete unasked.
        backfill_calls: API calls that a full or live run may add for the big relations. None: a
            live run adds none, a full run keeps up what a backfill has begun.
        reconcile_days: Every relation row is read again at least this often, quota permitting.
        requests_in_flight: Parallel requests; a heavy page takes seconds, so pacing alone would
            leave the quota unused (docs/42-api.md section 2).
    """

    api_url: str
    client_id: str
    client_secret: str = field(repr=False)
    client_secret_next: str = field(default="", repr=False)
    cursus_id: int = 21
    max_delete_fraction: float = 0.1
    allow_deletes: bool = False
    backfill_calls: int | None = None
    reconcile_days: int = 30
    requests_in_flight: int = 6
    request_timeout: float = 60.0

    @property
    def application(self) -> str:
        """What the API counts calls by: all processes that have this in common share a quota."""
        return f"{self.api_url} {self.client_id}"

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read the settings.

        Args:
            env: Where from, if not from the environment and `.env`.

        Raises:
            UsageError: Credentials are missing or a number is not a number.
        """
        env = environment() if env is None else env
        number(env, "CHANGES_RETENTION_DAYS", 90)  # the publication's: refused before any call
        missing = [
            name for name in ("FORTYTWO_CLIENT_ID", "FORTYTWO_CLIENT_SECRET") if not env.get(name)
        ]
        if missing:
            raise UsageError(
                f"{' and '.join(missing)} not set. Register an application on the 42 intra "
                "(Settings > API), then put its UID and secret into .env (see .env.example), or "
                "export them. To try the mirror without credentials, run `make sync` with none of "
                "the FORTYTWO_ variables set: it uses the bundled sandbox."
            )
        api_url = env.get("FORTYTWO_API_URL", DEFAULT_API_URL).rstrip("/").removesuffix("/v2")
        if not is_address(api_url):
            raise UsageError(
                f"FORTYTWO_API_URL is {api_url!r}, which is not an http(s) address. Use "
                f"{DEFAULT_API_URL} or leave it out."
            )
        return cls(
            api_url=api_url,
            client_id=env["FORTYTWO_CLIENT_ID"],
            client_secret=env["FORTYTWO_CLIENT_SECRET"],
            client_secret_next=env.get("FORTYTWO_CLIENT_SECRET_NEXT", ""),
            cursus_id=number(env, "FORTYTWO_CURSUS_ID", 21),
            max_delete_fraction=max_delete_fraction(env),
            allow_deletes=_is_yes(env, "ALLOW_DELETES"),
            backfill_calls=number(env, "BACKFILL_CALLS", 0) if env.get("BACKFILL_CALLS") else None,
            reconcile_days=number(env, "RECONCILE_DAYS", 30),
        )


def is_address(url: str) -> bool:
    """Whether it is an http(s) address with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its brackets or its port
        return False


def max_delete_fraction(env: Mapping[str, str]) -> float:
    """`MAX_DELETE_FRACTION`, also for what needs no credentials.

    Raises:
        UsageError: It is no share.
    """
    text = env.get("MAX_DELETE_FRACTION", "0.1")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(
            f"MAX_DELETE_FRACTION is {text!r}; it must be a share between 0 and 1, like 0.1."
        )
    return value


def credentials_configured() -> bool:
    """Whether the user pointed the mirror at an API (then the sandbox is never started)."""
    env = environment()
    names = ("FORTYTWO_API_URL", "FORTYTWO_CLIENT_ID", "FORTYTWO_CLIENT_SECRET")
    return any(env.get(name) for name in names)


def number(env: Mapping[str, str], name: str, default: int) -> int:
    """A setting that is a whole number.

    Raises:
        UsageError: It is none.
    """
    text = env.get(name) or str(default)
    if not text.isdecimal():
        raise UsageError(f"{name} is {text!r}; it must be a whole number such as {default}.")
    most = LONGEST_DAYS if name.endswith("_DAYS") else 2**31 - 1
    if int(text) > most:
        raise UsageError(f"{name} is {text}; it must be {most:,} at most.")
    return int(text)


def _is_yes(env: Mapping[str, str], name: str) -> bool:
    """A setting that is yes or no; dbt's side takes the same words (settings.sql)."""
    text = env.get(name, "").lower()
    if text not in ("", "0", "false", "no", "off", "1", "true", "yes", "on"):
        raise UsageError(f"{name} is {text!r}; it must be 1 for yes, or 0 for no.")
    return text in ("1", "true", "yes", "on")
