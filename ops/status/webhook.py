"""One message to WEBHOOK_URL when a job fails, one when it is well again.

The address is a secret (who knows it can post there): it is never printed and never logged.
"""

from __future__ import annotations

import logging
import socket
from datetime import UTC, datetime
from typing import Any, Literal

import requests

from extract.base import logs
from extract.base.settings import environment

SECONDS = (5.0, 10.0)  # to connect, to answer
Event = Literal["failure", "recovery"]


def tell(event: Event, job: str, since: str, message: str = "") -> bool:
    """Send a message, if there is an address; whatever happens, the job goes on.

    Args:
        event: What happened to the job.
        job: Such as `sync full`.
        since: When it began to fail, ISO 8601.
        message: Why, without secrets.

    Returns:
        Whether it arrived.
    """
    env = environment()
    address = env.get("WEBHOOK_URL", "")
    if not address:
        return False
    slack = env.get("WEBHOOK_FORMAT", "json") == "slack"
    body = {"text": _sentence(event, job, since, message)} if slack else None
    cause = ""
    for _ in range(2):
        try:
            response = requests.post(
                address,
                json=body or _document(event, job, since, message),
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
        return f"{where}: {job} is well again (it had been failing since {moment} UTC)."
    return f"{where}: {job} failed (since {moment} UTC). {message}"
