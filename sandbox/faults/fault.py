"""Fault injection: what can go wrong between a client and the API, on request."""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.types import Send

from sandbox.api import errors
from sandbox.api.answer import Answer, deliver, gzip, raw_headers
from sandbox.api.limits import Limits, Verdict
from sandbox.api.listing import Lister
from sandbox.api.query import Query
from sandbox.api.routes import compile_template
from sandbox.api.tokens import Tokens
from sandbox.faults import bodies
from sandbox.faults.kinds import KINDS
from sandbox.resources.base import Resource
from sandbox.world.changes.changes import Changes

_TEMPLATE = re.compile(r"/(v2|oauth)/[\w/:-]*$")
_EVERYTHING = "^/v2/"
TOKEN_PATH = "/oauth/token"

_OF_TOKENS = ("token_401", "token_429", "token_500", "token_down", "secret_expired")
_INSTEAD: dict[str, Callable[[], errors.ApiError]] = {
    "500": lambda: errors.gateway(500),
    "502": lambda: errors.gateway(502),
    "503": lambda: errors.gateway(503),
    "504": lambda: errors.gateway(504),
    "token_500": lambda: errors.gateway(500),
    "token_401": errors.invalid_client,
    "cloudflare_403": errors.cloudflare,
    "empty_403": errors.empty_forbidden,
    "denied_403": errors.denied,
    "html_200": lambda: errors.ApiError(200, errors.missing_row().body, errors.HTML_TYPE),
    "object_200": lambda: errors.ApiError(200, b'{"error":"Internal","message":"Try later"}'),
}


@dataclass
class Fault:
    """One fault and when it strikes."""

    id: int
    kind: str
    path: str
    call: Any = 1
    times: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    fired: int = 0

    def matches(self, path: str, template: str, target: str) -> bool:
        """Tell whether a request is one of those this fault counts."""
        if _TEMPLATE.match(self.path):
            if self.path in (path, template):
                return True
            return ":" in self.path and compile_template(self.path).match(path) is not None
        return re.search(self.path, target) is not None

    def strikes(self) -> bool:
        """Count a matching request and tell whether it is hit."""
        self.seen += 1
        if self.call == "every":
            hit = self.times is None or self.fired < self.times
        elif isinstance(self.call, list):
            hit = self.seen in self.call
        else:
            hit = self.call <= self.seen < self.call + (self.times or 1)
        self.fired += hit
        return hit

    def describe(self) -> dict[str, Any]:
        """Return the fault as GET /_sandbox/faults shows it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "path": self.path,
            "call": self.call,
            "times": self.times,
            "params": self.params,
            "seen": self.seen,
            "fired": self.fired,
        }

    # -- the moments of a request at which a fault can act ----------------------------------------

    def before(self, tokens: Tokens) -> None:
        """Answer instead of the API.

        Raises:
            ApiError: for the kinds that are a status.
        """
        if self.kind == "token_expired":
            tokens.expire_all()
        elif self.kind == "token_revoked":
            tokens.revoke_all()
        elif self.kind == "token_429":
            wait = self.params.get("retry_after", 1)
            headers = {"Retry-After": str(int(wait))} if wait else {}
            raise errors.ApiError(429, errors.SPAM, "text/plain; charset=utf-8", headers)
        elif self.kind in _INSTEAD:
            raise _INSTEAD[self.kind]()

    def verdict(self, limits: Limits) -> Verdict:
        """Count the request, or refuse it as a used up window would."""
        if self.kind == "429_second":
            return limits.exhaust("second")
        if self.kind == "429_hour":
            return limits.exhaust("hour")
        return limits.take()

    def retry_after(self, limits: Limits) -> bool:
        """Tell whether a 429 says how long to wait."""
        return bool(self.params.get("retry_after", limits.retry_after))

    def change_world(
        self, lister: Lister, changes: Changes, resource: Resource, query: Query
    ) -> None:
        """Delete the first rows of the list for good, as somebody might while it is read."""
        if self.kind != "row_deleted":
            return
        lister.forget(changes.version)
        rows = list(lister.rows(resource, query)[: self.params.get("rows", 1)])
        for row in rows:
            found = resource.find(str(row)) if isinstance(row, int) else row
            changes.delete_row(resource.name, found)

    def shifts(self) -> tuple[int, int]:
        """Return by how many pages and rows the served window is moved."""
        if self.kind == "page_repeated":
            return -1, 0
        if self.kind == "row_moved":
            return 0, 1
        return 0, 0

    def edit(self, answer: Answer) -> None:
        """Change headers or body before they are compressed."""
        headers = answer.headers
        wait = self.params.get("retry_after")
        if answer.status == 429 and wait and wait is not True:
            headers["Retry-After"] = str(wait)
        if self.kind == "missing_total":
            headers.pop("X-Total", None)
            if self.params.get("link") is False:
                headers.pop("Link", None)
        elif self.kind == "wrong_total" and "X-Total" in headers:
            headers["X-Total"] = str(int(headers["X-Total"]) + self.params.get("delta", 7))
        elif self.kind == "link_shuffled" and "Link" in headers:
            headers["Link"] = ", ".join(reversed(headers["Link"].split(", ")))
        elif self.kind in bodies.EDITS and answer.status == 200:
            answer.body = bodies.EDITS[self.kind](answer.body, self.params)
            headers.pop("ETag", None)
            if "total" in self.params:
                headers["X-Total"] = str(self.params["total"])

    async def deliver(self, request: Request, answer: Answer, send: Send) -> str:
        """Send the answer, or what this fault leaves of it.

        Returns:
            What to write in the record of calls: the status, or the word for the accident.
        """
        kind = self.kind
        if kind in ("reset_before_body", "token_down") and not self.params.get("after_headers"):
            _reset(request)
            return "reset"
        start = {
            "type": "http.response.start",
            "status": answer.status,
            "headers": raw_headers(answer),
        }
        if kind in ("reset_before_body", "reset_in_body"):
            await send(start)
            half = answer.body[: len(answer.body) // 2] if kind == "reset_in_body" else b""
            await send({"type": "http.response.body", "body": half, "more_body": True})
            await asyncio.sleep(0.05)  # let what was sent leave before the connection dies
            _reset(request)
            return "reset"
        if kind == "hang":
            await asyncio.sleep(float(self.params.get("seconds", 3600)))
        elif kind == "slow_drip":
            await send(start)
            pieces = 20
            step = max(len(answer.body) // pieces, 1)
            for position in range(0, len(answer.body), step):
                piece = answer.body[position : position + step]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.sleep(float(self.params.get("seconds", 5)) / pieces)
            await send({"type": "http.response.body", "body": b""})
            return str(answer.status)
        elif kind == "gzip_damage":
            if "Content-Encoding" not in answer.headers:
                answer.body = gzip(answer.body)
                answer.headers["Content-Encoding"] = "gzip"
            middle = len(answer.body) // 2
            answer.body = answer.body[:middle] + b"\xff\x00\xff\x00" + answer.body[middle + 4 :]
        await deliver(answer, send)
        return str(answer.status)


def _reset(request: Request) -> None:
    """Kill the connection with a TCP reset."""
    transport = request.scope.get("sandbox.transport")
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        # A zero linger turns the close into RST.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    transport.abort()


class Faults:
    """The faults that are set."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._ids = itertools.count(1)

    def add(self, body: dict[str, Any]) -> Fault:
        """Set a fault.

        Raises:
            ValueError: when the request makes no sense.
        """
        given = dict(body)
        kind = str(given.pop("kind", ""))
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}; there are: {', '.join(KINDS)}")
        path = str(given.pop("path", TOKEN_PATH if kind in _OF_TOKENS else _EVERYTHING))
        call = given.pop("call", 1)
        if call != "every" and not isinstance(call, (int, list)):
            raise ValueError('call is a number (from 1), a list of them, or "every"')
        times = given.pop("times", None)
        params = given.pop("params", {}) or {}
        fault = Fault(next(self._ids), kind, path, call, times, {**given, **params})
        try:
            fault.matches("/", "/", "/")
        except re.error as error:
            raise ValueError(f"path is not a template nor a regular expression: {error}") from None
        self._faults.append(fault)
        return fault

    def take(self, path: str, template: str, target: str) -> Fault | None:
        """Count a request for every fault and return the first one that strikes."""
        struck: Fault | None = None
        for fault in self._faults:
            if fault.matches(path, template, target) and fault.strikes() and struck is None:
                struck = fault
        return struck

    def all(self) -> list[dict[str, Any]]:
        """Return every fault, with how often it was seen and fired."""
        return [fault.describe() for fault in self._faults]

    def remove(self, fault_id: int) -> None:
        """Take one fault away."""
        self._faults = [fault for fault in self._faults if fault.id != fault_id]

    def clear(self) -> None:
        """Take every fault away."""
        self._faults = []
