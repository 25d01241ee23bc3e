"""One message to WEBHOOK_URL when something is not well, one when it is well again.

What was told is kept in .local/alerts.json; a failure that stays is told again after a day.

The address is a secret (who knows it can post there): it is never printed and never logged.
"""

import json
import logging
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import requests

from extract.base import logs
from extract.base.folders import locked, write_whole
from extract.base.settings import environment, local_directory
from ops.status.verdict import Verdict

SECONDS = (5.0, 10.0)  # to connect, to answer
REMIND_AFTER = timedelta(hours=24)
Event = Literal["failure", "degraded", "recovery"]


def tell_changes(verdict: Verdict) -> None:
    """Tell what is new in a verdict: each finding that is not well, and each that is again."""
    if not environment().get("WEBHOOK_URL"):
        return
    file = local_directory() / "alerts.json"
    with locked(file):
        told = _told(file)
        now = datetime.now(UTC)
        reasons = {finding.name: finding for finding in verdict.reasons}
        for name, finding in reasons.items():
            before = told.get(name)
            if before and before["level"] == finding.level:
                passed = now - datetime.fromisoformat(before["told_at"])
                if finding.level == "degraded" or passed < REMIND_AFTER:
                    continue
            event: Event = "failure" if finding.level == "failing" else "degraded"
            since = before["since"] if before else (finding.since or now).isoformat()
            if tell(event, name, since, finding.sentence):
                told[name] = {"level": finding.level, "since": since, "told_at": now.isoformat()}
        looked_at = {finding.name for finding in verdict.findings}
        for name, before in list(told.items()):
            # what could not be looked at for want of the database is not well for that
            unknown = "database" in reasons and name not in looked_at
            if name not in reasons and not unknown and tell("recovery", name, before["since"]):
                del told[name]
        write_whole(file, json.dumps(told, indent=1), 0o600)


def beat() -> None:
    """Call HEARTBEAT_URL, if there is one, after a good pass; whatever happens, the job goes on.

    Whoever waits for the calls notices a machine that is off, which cannot tell a failure.
    """
    address = environment().get("HEARTBEAT_URL")
    if not address:
        return
    try:
        status = requests.get(address, timeout=SECONDS, allow_redirects=False).status_code
        cause = "" if status < 400 else f"status {status}"
    except (requests.RequestException, ValueError) as error:
        cause = type(error).__name__  # its text has the address
    logs.event("heartbeat", level=logging.WARNING if cause else logging.INFO, error=cause)


def _told(file: Path) -> dict[str, dict[str, str]]:
    try:
        found: dict[str, dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))
        return {k: v for k, v in found.items() if v.keys() >= {"level", "since", "told_at"}}
    except (OSError, ValueError, AttributeError):
        return {}


def tell(event: Event, job: str, since: str, message: str = "") -> bool:
    """Send a message to WEBHOOK_URL; whatever happens, the job goes on.

    Args:
        event: What happened.
        job: Such as `sync full`, or another finding's name.
        since: When it began, ISO 8601.
        message: Why, without secrets.

    Returns:
        Whether it arrived.
    """
    env = environment()
    slack = env.get("WEBHOOK_FORMAT", "json") == "slack"
    told = (event, job, since, message)
    body = {"text": _sentence(*told)} if slack else _document(*told)
    cause = ""
    for _ in range(2):
        try:
            response = requests.post(
                env["WEBHOOK_URL"],
                json=body,
                timeout=SECONDS,
                allow_redirects=False,
            )
        except (requests.RequestException, ValueError) as error:
            cause = type(error).__name__  # its text has the address
            continue
        if response.ok:
            logs.event("webhook", told=event, job=job)
            return True
        cause = f"status {response.status_code}"
        if response.status_code < 500:
            break
    logs.event("webhook", level=logging.WARNING, told=event, job=job, error=cause)
    return False


def _document(event: Event, job: str, since: str, message: str) -> dict[str, Any]:
    return {
        "source": "fortytwo-mirror",
        "host": socket.gethostname(),
        "event": event,
        "job": job,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "failing_since": since,
        "message": message,
    }


def _sentence(event: Event, job: str, since: str, message: str) -> str:
    where = f"fortytwo-mirror on {socket.gethostname()}"
    moment = since[:16].replace("T", " ")
    if event == "recovery":
        return f"{where}: {job} is well again (it had not been since {moment} UTC)."
    return f"{where}: {message}"
