"""The ASGI application of /oauth and /v2."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from dataclasses import dataclass
from random import Random

import orjson
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from sandbox.api import errors, routes
from sandbox.api.answer import Answer, deliver, gzip
from sandbox.api.calls import Calls
from sandbox.api.limits import Limits, Verdict
from sandbox.api.listing import Lister
from sandbox.api.query import parse
from sandbox.api.tokens import Tokens, request_fields
from sandbox.clock import Clock
from sandbox.faults.fault import Fault, Faults
from sandbox.resources.registry import registry
from sandbox.world.changes.changes import Changes
from sandbox.world.scale import SCALES
from sandbox.world.world import World

TOKEN_PATHS = ("/oauth/token", "/v2/oauth/token")
INFO_PATHS = ("/oauth/token/info", "/v2/oauth/token/info")
APPLICATION_ID = "4242"


@dataclass(frozen=True)
class Options:
    """What the command line decides."""

    scale: str = "small"
    limits: str = "fast"
    latency: float = 0.0
    jitter: float = 0.0
    seed: int = 42
    client_id: str = "sandbox"
    client_secret: str = "sandbox"
    next_secret: str | None = None
    token_life: int = 7200
    secret_days: float = 28.0
    retry_after: bool = True


class Sandbox:
    """Everything behind one port."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = Clock()
        self.calls = Calls(self.clock)
        self.faults = Faults()
        self.lister = Lister()
        self.world = World(SCALES[options.scale], options.seed)
        self.start()

    def start(self) -> None:
        """Bring the world back to its beginning and forget tokens, limits, faults and calls."""
        options = self.options
        gc.unfreeze()
        self.clock.reset()
        self.latency = options.latency
        self.jitter = options.jitter
        self._journeys = Random(f"{options.seed}/journeys")
        self.tokens = Tokens(
            self.clock,
            options.client_id,
            options.client_secret,
            options.next_secret,
            options.token_life,
            options.secret_days,
        )
        self.limits = Limits(self.clock, options.limits)
        self.limits.retry_after = options.retry_after
        if self.world.version:  # one that nobody has changed is as good as a new one
            self.world = World(SCALES[options.scale], options.seed)
        self.resources = registry(self.world, self.clock)
        self.changes = Changes(self.world, self.clock)
        # Half a million rows that never go away need not be looked at by every collection.
        gc.collect()
        gc.freeze()
        self.lister.forget(-2)
        self.calls.reset()
        self.faults.clear()

    # -- one request -------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for /oauth or /v2."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        path = request.url.path
        found = routes.match(path)
        template = found.template if found else path
        target = f"{path}?{request.url.query}" if request.url.query else path
        limited = path.startswith("/v2/") and path not in TOKEN_PATHS
        if self.jitter and limited:
            # What counts for the windows is when a request arrives, not when it was sent.
            await asyncio.sleep(self._journeys.uniform(0, 2 * self.jitter))
        arrived = self.calls.arrive(limited)
        fault = self.faults.take(path, template, target)
        started = time.perf_counter()
        status = "aborted"
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            answer = await self._answer(request, found, fault)
            answer.headers["X-Runtime"] = f"{time.perf_counter() - started:.6f}"
            answer.headers["X-Request-Id"] = os.urandom(16).hex()
            if fault is not None:
                fault.edit(answer)
            self._finish(request, answer)
            status = str(answer.status)
            if fault is not None:
                status = await fault.deliver(request, answer, send)
            else:
                await deliver(answer, send)
        finally:
            self.calls.finish(arrived, request.method, template, target, status)

    async def _answer(
        self, request: Request, found: routes.Match | None, fault: Fault | None
    ) -> Answer:
        verdict: Verdict | None = None
        headers: dict[str, str] = {}
        try:
            if not request.headers.get("user-agent"):
                raise errors.empty_forbidden()
            if request.url.path in TOKEN_PATHS:
                return await self._token(request, fault)
            if fault is not None:
                fault.before(self.tokens)
            token = self.tokens.check(_bearer(request))
            if request.url.path in INFO_PATHS:
                return _json(self.tokens.info(token))
            verdict = self.limits.take() if fault is None else fault.verdict(self.limits)
            headers = self._application_headers(verdict)
            if not verdict.allowed:
                return self._spam(verdict, headers, fault)
            answer = self._resource(request, found, fault)
        except errors.ApiError as error:
            answer = _error(error)
        if verdict is None and request.url.path.startswith("/v2/"):
            headers = self._application_headers(None)
        answer.headers.update(headers)
        return answer

    async def _token(self, request: Request, fault: Fault | None) -> Answer:
        if fault is not None:
            fault.before(self.tokens)
        if request.method != "POST":
            raise errors.missing_route()
        kind = request.headers.get("content-type", "")
        fields = request_fields(request.url.query, kind, await request.body())
        given = self.tokens.answer(fields, request.headers.get("authorization"))
        return _json(given, {"Cache-Control": "no-store", "Pragma": "no-cache"})

    def _resource(
        self, request: Request, found: routes.Match | None, fault: Fault | None
    ) -> Answer:
        if found is None:
            raise errors.missing_route()
        if found.kind == routes.DENY:
            raise errors.denied()
        if request.method not in ("GET", "HEAD"):
            raise errors.no_scope(found.resource)
        self.lister.forget(self.world.version)
        resource = self.resources[found.resource]
        if found.kind == routes.SHOW:
            return self.lister.show(resource, found.params["id"])
        query = parse(request.url.query)
        query.plain.update(found.params)
        url = str(request.url.replace(query=""))
        if fault is not None:
            fault.change_world(self.lister, self.changes, resource, query)
            self.lister.forget(self.world.version)
        pages, rows = fault.shifts() if fault is not None else (0, 0)
        return self.lister.page(resource, query, url, pages, rows)

    def _application_headers(self, verdict: Verdict | None) -> dict[str, str]:
        return {
            **(verdict.headers if verdict else self.limits.headers()),
            "X-Application-Id": APPLICATION_ID,
            "X-Application-Name": "sandbox",
            "X-Application-Roles": "None",
        }

    def _spam(self, verdict: Verdict, headers: dict[str, str], fault: Fault | None) -> Answer:
        shown = self.limits.retry_after if fault is None else fault.retry_after(self.limits)
        if shown:
            headers["Retry-After"] = str(verdict.retry_after)
        return Answer(429, errors.SPAM, {"Content-Type": "text/plain; charset=utf-8", **headers})

    def _finish(self, request: Request, answer: Answer) -> None:
        """Turn a page the client has already into a 304, and compress the others."""
        headers = answer.headers
        headers.setdefault("Cache-Control", "max-age=0, private, must-revalidate")
        headers["Vary"] = "Accept-Encoding, Origin"
        tag = headers.get("ETag")
        if tag and answer.status == 200 and tag in request.headers.get("if-none-match", ""):
            answer.status, answer.body = 304, b""
            headers.pop("Content-Type", None)
        if len(answer.body) > 600 and "gzip" in request.headers.get("accept-encoding", ""):
            answer.body = gzip(answer.body)
            headers["Content-Encoding"] = "gzip"


def _bearer(request: Request) -> str | None:
    header = request.headers.get("authorization", "")
    if header.lower().startswith("bearer "):
        return header[7:].strip()
    return request.query_params.get("access_token")


def _json(body: object, headers: dict[str, str] | None = None) -> Answer:
    return Answer(200, orjson.dumps(body), {"Content-Type": errors.JSON_TYPE, **(headers or {})})


def _error(error: errors.ApiError) -> Answer:
    headers = dict(error.headers)
    if error.content_type:
        headers["Content-Type"] = error.content_type
    return Answer(error.status, error.body, headers)
