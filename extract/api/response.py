"""What a response of the 42 API is: rows, a refusal, or trouble that may pass (42-api.md, 1.2)."""

import io
import json
import re
import time
from typing import Any

import orjson
import requests

# seconds that a whole response may take: of a slow one each piece comes within the read timeout
LONGEST_RESPONSE = 180.0
LARGEST_BODY = 256 * 1024 * 1024
LARGEST_PIECE = 1024 * 1024
# NUL and halves of surrogate pairs, which PostgreSQL cannot store
UNSTORABLE = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
# a number of so many digits may be beyond 64 bits, as -9223372036854775809 is
MANY_DIGITS = b"0" * 19
ALIKE = bytes.maketrans(b"123456789", b"0" * 9)


class Trouble(Exception):
    """This try failed in a way that another may not.

    Attributes:
        heavy: A smaller page may pass where this one did not.
    """

    def __init__(self, reason: str, *, heavy: bool = False) -> None:
        super().__init__(reason)
        self.heavy = heavy


class Refused(Exception):
    """The status is one that another try alone will not change."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(f"status {response.status_code}")
        self.response = response


def receive(response: requests.Response, started: float) -> None:
    """Read the body under one deadline and one size limit, whatever its pace.

    Args:
        started: When the request was sent, by `time.monotonic`.

    Raises:
        Trouble: It took too long or is too large.
    """
    body = io.BytesIO()
    try:
        # what there is, not a piece of a fixed size: a slow response would fill one for hours
        while piece := response.raw.read1(LARGEST_PIECE, decode_content=True):
            body.write(piece)
            if body.tell() > LARGEST_BODY:
                raise Trouble(f"a page of more than {LARGEST_BODY >> 20} MiB", heavy=True)
            if time.monotonic() - started > LONGEST_RESPONSE:
                raise Trouble("the response came too slowly", heavy=True)
    except BaseException:
        response.close()
        raise
    body.seek(0)
    response.raw = body


def classify(response: requests.Response) -> None:
    """Let a list pass.

    Raises:
        Refused: The status is one that another try alone will not change.
        Trouble: A later try may be answered well.
    """
    status = response.status_code
    if status >= 500:
        raise Trouble(f"status {status}", heavy=status in (502, 504))
    if status == 403 and not is_json(response):
        raise Trouble("403 from the gateway in front of the API")
    if status != 200:
        raise Refused(response)
    if not response.content.lstrip().startswith(b"["):
        kind = "list of objects" if is_json(response) else "whole JSON document"
        raise Trouble(f"the answer is no {kind}")


def rows_of(body: bytes) -> tuple[list[dict[str, Any]], int]:
    """The rows without what PostgreSQL cannot store, and how many texts had it.

    Raises:
        Trouble: The body is no whole JSON document, or no list of objects.
    """
    unstorable = UNSTORABLE.search(body)
    # orjson is several times as fast, but makes fractions of numbers beyond 64 bits, refuses halves
    # of surrogate pairs, and takes 15 times the body in memory where json takes 5
    exact = unstorable or len(body) > 1 << 20 or MANY_DIGITS in body.translate(ALIKE)
    try:
        rows = json.loads(body, parse_constant=_refuse) if exact else orjson.loads(body)
    except (ValueError, RecursionError):
        raise Trouble("the answer is no whole JSON document") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Trouble("the answer is no list of objects")
    changed: list[str] = []
    return _clean(rows, changed) if unstorable else rows, len(changed)


def _refuse(word: str) -> None:
    """NaN and Infinity are no JSON, which the standard library forgets."""
    raise ValueError(word)


def is_json(response: requests.Response) -> bool:
    """Whether the response says that it is JSON."""
    return "json" in response.headers.get("Content-Type", "")


def _clean(value: Any, changed: list[str]) -> Any:
    """The value without NUL and lone surrogates.

    Args:
        changed: The texts that had them are added.
    """
    if isinstance(value, str):
        text = value.replace("\x00", "").encode("utf-16", "surrogatepass")
        clean = text.decode("utf-16", "replace")
        if clean != value:
            changed.append(clean)
        return clean
    if isinstance(value, list):
        return [_clean(item, changed) for item in value]
    if isinstance(value, dict):
        return {_clean(key, changed): _clean(item, changed) for key, item in value.items()}
    return value
