"""`make doctor`: whether a sync would succeed here, and the command that mends what stops it."""

import platform
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import requests
from rich.console import Console

from extract.api.quota_file import quota_directory
from extract.base import database, libpq
from extract.base.errors import MirrorError, UsageError
from extract.base.query import execute
from extract.base.settings import (
    ROOT,
    WARN_SECRET_DAYS,
    Settings,
    credentials_configured,
    environment,
    file_values,
    is_address,
    local_directory,
    number,
    path_of,
)
from extract.base.usable import require_usable, require_whole
from extract.tables.ownership import refuse_foreign_objects
from extract.tables.streams import streams_on
from ops.backup import age, archive
from ops.backup.restore import DRILL_DATABASE, require_drill_database
from ops.schedule.schedule import Schedule
from ops.schedule.scheduled import DRILL_DAYS
from ops.site.pages import site_directory
from ops.status.status import read_status
from ops.status.verdict import Finding, Level, judge

# what the verdict says of this machine, and not of the last runs
OF_MACHINE = ("schedule", "backups", "disk")
MAY_BE_OFF = 60.0
SOME_BYTES = 65_536
# a share of the letters: BACKUP_DIR for BACKUP_DIRECTORY, but no PGSSLCERT for PGSSLMODE
LIKELY_MISSPELT = 0.75
SIGNS: dict[Level, str] = {
    "well": "[green]ok[/]  ",
    "degraded": "[yellow]note[/]",
    "failing": "[red]FAIL[/]",
}

Found = tuple[Level, str]


def examine() -> list[Finding]:
    """Look at everything that a sync needs."""
    checks: dict[str, Callable[[], Found]] = {
        "Python": _python,
        "text": _text,
        "settings": _settings,
        "folders": _folders,
        "database": _database,
        "API": _api,
    }
    if environment().get(DRILL_DATABASE):
        checks["restore drill"] = _drill
    findings = []
    for name, check in checks.items():
        try:
            level, sentence = check()
        except MirrorError as error:
            level, sentence = "failing", str(error)
        findings.append(Finding(name, level, sentence))
    judged = judge(read_status()).findings
    return findings + [finding for finding in judged if finding.name in OF_MACHINE]


def report(findings: list[Finding], console: Console) -> int:
    """Print them; returns the exit status."""
    for finding in findings:
        console.print(f"{SIGNS[finding.level]} {finding.name}: ", end="")
        console.print(finding.sentence, markup=False, soft_wrap=True)
    failing = any(finding.level == "failing" for finding in findings)
    console.print("A sync would fail." if failing else "Nothing is in the way of a sync.")
    return int(failing)


def _python() -> Found:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    wrong = []
    for name, wanted in re.findall(r"^([a-z0-9._-]+)(?:\[\S+\])?==(\S+) \\", lock, re.MULTILINE):
        try:
            fits = version(name) == wanted
        except PackageNotFoundError:
            fits = False
        if not fits:
            wrong.append(name)
    if wrong:
        return "failing", f"{', '.join(wrong)}: not as the lock has it. Run `make setup`."
    return "well", f"{platform.python_version()} in {sys.prefix}, with what the lock names"


def _text() -> Found:
    encoding = sys.getfilesystemencoding()
    screen = getattr(sys.stdout, "encoding", "closed")
    return "well", f"names of files are {encoding}, the screen is {screen}"


def _settings() -> Found:
    env = environment()
    Settings.load({"FORTYTWO_CLIENT_ID": "-", "FORTYTWO_CLIENT_SECRET": "-", **env})
    streams_on()
    try:
        Schedule.load(env)
        archive.kept_backups()
        age.recipients()
        number(env, "BACKUP_DRILL_DAYS", DRILL_DAYS)
        _alarms(env)
    except MirrorError as error:  # a sync does without these
        return "degraded", str(error)
    known = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)
    for name in sorted(file_values().keys() - set(known) - libpq.variables()):
        meant = get_close_matches(name, known, 1, LIKELY_MISSPELT)
        if meant:
            return "degraded", f"{name} in .env is no setting of the mirror. Is {meant[0]} meant?"
    return "well", "each number and time is one"


def _alarms(env: Mapping[str, str]) -> None:
    for name in ("WEBHOOK_URL", "HEARTBEAT_URL"):
        if env.get(name) and not is_address(env[name]):  # not repeated: it is a secret
            raise UsageError(
                f"{name} is not an http(s) address. Give the whole one, or leave it out."
            )
    if env.get("WEBHOOK_FORMAT", "json") not in ("json", "slack"):
        raise UsageError(f"WEBHOOK_FORMAT is {env['WEBHOOK_FORMAT']!r}; it must be json or slack.")
    folder = path_of("METRICS_FILE", ROOT / "metrics").parent
    if not folder.is_dir():
        raise UsageError(f"METRICS_FILE is to be in {folder}, which is no folder. Make it first.")


def _folders() -> Found:
    found: Found | None = None  # the last one is said, so what a sync needs comes last
    for setting, folder, needed in (
        ("BACKUP_DIRECTORY", archive.folder, False),  # a sync does without these two
        ("FORTYTWO_SITE", site_directory, False),
        ("XDG_STATE_HOME", quota_directory, True),
        ("FORTYTWO_LOCAL", local_directory, True),
    ):
        try:
            _try_to_write(setting, folder())
        except MirrorError as error:
            found = "failing" if needed else "degraded", str(error)
    return found or ("well", f"state in {local_directory()}, backups in {archive.folder()}")


def _try_to_write(setting: str, path: Path) -> None:
    """To ask whether it may be written is not enough: root may everywhere, and cannot."""
    try:
        there = next(place for place in (path, *path.parents) if place.exists())
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(SOME_BYTES))  # a full disk takes files without content
    except OSError as error:
        raise MirrorError(
            f"{path} cannot be written to: {error.strerror}. Make it yours, make room on its disk, "
            f"or name another folder ({setting})."
        ) from error


def _database() -> Found:
    with database.session("doctor") as connection:
        require_usable(connection)
        require_whole(connection)
        refuse_foreign_objects(connection, take_over=False)
        ((name, role, number, reader, may_create),) = execute(
            connection,
            "select current_database(), current_user, current_setting('server_version'), "
            "exists (select from pg_roles where rolname = 'mirror_reader'), "
            "(select rolcreaterole or rolsuper from pg_roles where rolname = current_user)",
        )
    if not reader and not may_create:
        return "degraded", (
            f"there is no role for readers and {role} may not create one. Let an administrator "
            "run: create role mirror_reader nologin;"
        )
    return "well", f"PostgreSQL {number}, database {name} as {role}, which may create schemas"


def _drill() -> Found:
    given, name = environment()[DRILL_DATABASE], database.libpq_environment()["PGDATABASE"]
    try:
        require_drill_database(given, name)
    except MirrorError as error:  # a sync does without it
        return "degraded", str(error)
    return "well", f"{DRILL_DATABASE} is {given}, which is empty"


def _api() -> Found:
    if not credentials_configured():
        return "well", "no credentials are set: a sync uses the bundled sandbox"
    from extract.api.auth import ClientCredentials  # dlt takes a second to import

    settings, seen = Settings.load(), []

    def note(response: requests.Response, **_: Any) -> None:
        with suppress(ValueError, TypeError):  # an answer without a date, or a date without a zone
            moment = parsedate_to_datetime(response.headers.get("Date", ""))
            seen.append((datetime.now(UTC) - moment).total_seconds())

    with requests.Session() as session:
        session.hooks["response"].append(note)
        credentials = ClientCredentials(settings, session)
        credentials.prepare_for_run()
    if seen and abs(seen[-1]) > MAY_BE_OFF:
        return "degraded", (
            f"the clock here is {seen[-1]:+.0f} s off the API's, and live passes miss changes so. "
            "Run `timedatectl set-ntp true`."
        )
    days = credentials.secret_days()
    left = "" if days is None else f", the secret is good for {days:.0f} more days"
    if days is not None and days < WARN_SECRET_DAYS:
        return "degraded", (
            f"{settings.api_url} lets us in{left}. Make a new one on the intra (Settings > API) "
            "and put it into .env as FORTYTWO_CLIENT_SECRET_NEXT."
        )
    return "well", f"{settings.api_url} lets us in{left}"
