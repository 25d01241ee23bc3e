"""/_sandbox: look into the world, change it, break the connection to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from ipaddress import ip_address
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sandbox.api.query import Rules, parse, select
from sandbox.app import Sandbox
from sandbox.faults.kinds import KINDS
from sandbox.resources.base import Resource
from sandbox.world.values import iso, millis

Handler = Callable[[Request], Awaitable[Response]]


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _guard(handler: Handler) -> Handler:
    """Let only this machine in, and turn a ValueError into a 400 that says what was wrong."""

    async def guarded(request: Request) -> Response:
        client = request.client
        if client is not None and not _is_loopback(client.host):
            return _json({"error": "/_sandbox answers this machine only"}, 403)
        try:
            return await handler(request)
        except ValueError as error:
            return _json({"error": str(error)}, 400)

    return guarded


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.removeprefix("::ffff:")).is_loopback
    except ValueError:
        return False


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    try:
        found = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("the body must be a JSON object")
    return found


class Control:
    """The control endpoints of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def health(self, request: Request) -> Response:
        """GET /_sandbox/health."""
        sandbox = self._sandbox
        world = sandbox.world
        return _json(
            {
                "status": "ok",
                "scale": sandbox.options.scale,
                "seed": sandbox.options.seed,
                "limits": sandbox.limits.mode,
                "latency": sandbox.latency,
                "jitter": sandbox.jitter,
                "retry_after": sandbox.limits.retry_after,
                "now": iso(sandbox.clock.world()),
                "version": world.version,
                "rows": {
                    "users": sum(user.listed for user in world.users.values()),
                    "cursus_users": len(world.cursus_users),
                    "campus_users": len(world.campus_users),
                    "coalitions_users": len(world.coalitions_users),
                    "projects_users": len(world.projects_users),
                    "achievements_users": len(world.achievements_users),
                    "locations": len(world.locations),
                    "scale_teams": len(world.scale_teams),
                    "quests_users": len(world.quests_users),
                    "events_users": len(world.events_users),
                },
            }
        )

    async def reset(self, request: Request) -> Response:
        """POST /_sandbox/reset: the world, clock, tokens, limits, faults and calls anew."""
        self._sandbox.start()
        return await self.health(request)

    async def calls(self, request: Request) -> Response:
        """GET and DELETE /_sandbox/calls."""
        if request.method == "DELETE":
            self._sandbox.calls.reset()
        return _json(self._sandbox.calls.report("log" in request.query_params))

    async def clock(self, request: Request) -> Response:
        """POST /_sandbox/clock: {"now": …} or {"advance_seconds": n}."""
        body = await _body(request)
        clock = self._sandbox.clock
        if "now" in body:
            clock.advance((millis(str(body["now"])) - clock.world()) / 1000)
        elif "advance_seconds" in body:
            clock.advance(float(body["advance_seconds"]))
        elif request.method == "POST":
            raise ValueError('say {"now": "2026-12-01T00:00:00Z"} or {"advance_seconds": 3600}')
        if body:
            # what is to come, or hidden until then, is so no longer
            self._sandbox.world.version += 1
        return _json({"now": iso(clock.world()), "real": clock.real()})

    async def settings(self, request: Request) -> Response:
        """POST /_sandbox/settings: limits, latency, jitter, retry_after, without a restart."""
        body = await _body(request)
        sandbox = self._sandbox
        unknown = body.keys() - {"limits", "latency", "jitter", "retry_after"}
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
        if "limits" in body:
            sandbox.limits.set_mode(str(body["limits"]))
            sandbox.limits.reset()
        if "latency" in body:
            sandbox.latency = float(body["latency"])
        if "jitter" in body:
            sandbox.jitter = float(body["jitter"])
        if "retry_after" in body:
            sandbox.limits.retry_after = bool(body["retry_after"])
        return await self.health(request)

    async def faults(self, request: Request) -> Response:
        """GET, POST and DELETE /_sandbox/faults."""
        sandbox = self._sandbox
        if request.method == "POST":
            fault = sandbox.faults.add(await _body(request))
            if fault.kind == "secret_expired":
                sandbox.tokens.expire_secret()
                if fault.params.get("revoke", True):
                    sandbox.tokens.revoke_all()
            return _json(fault.describe(), 201)
        if request.method == "DELETE":
            if "id" in request.query_params:
                sandbox.faults.remove(int(request.query_params["id"]))
            else:
                sandbox.faults.clear()
                sandbox.tokens.renew_secret()
        return _json({"faults": sandbox.faults.all(), "kinds": KINDS})

    async def advance(self, request: Request) -> Response:
        """POST /_sandbox/advance: let the network live; returns the ids of what changed."""
        return _json(self._sandbox.changes.advance(await _body(request)))

    async def rows(self, request: Request) -> Response:
        """GET /_sandbox/rows/{resource}: every current row, listed or not, as NDJSON.

        `fields=id,user_id` keeps to some columns (hidden ones like primary_campus_id too),
        `listed=true` to what the lists show; filter[…] and range[…] work on every column.
        """
        sandbox = self._sandbox
        resource = sandbox.resources.get(request.path_params["resource"])
        if resource is None:
            names = ", ".join(sandbox.resources)
            raise ValueError(f"unknown resource; there are: {names}")
        query = parse(request.url.query)
        fields = [name for name in query.plain.pop("fields", "").split(",") if name]
        listed = query.plain.pop("listed", "false") == "true"
        if query.plain:
            raise ValueError(f"unknown parameters: {', '.join(query.plain)}")
        columns = resource.rules.columns
        unknown = {*fields, *query.filters, *query.ranges} - {*columns, *resource.rules.special}
        if unknown:
            raise ValueError(f"unknown fields {unknown}; there are: {', '.join(columns)}")
        everything = resource.everything or (lambda: resource.rows(query))
        rows = resource.rows(query) if listed else everything()
        if query.filters or query.ranges:
            open_rules = Rules(columns, (), (), (), (), resource.rules.special)
            rows = select(rows, query, open_rules)
        return StreamingResponse(_lines(rows, resource, fields), media_type="application/x-ndjson")


async def _lines(
    rows: Iterable[Any], resource: Resource, fields: list[str]
) -> AsyncIterator[bytes]:
    columns = resource.rules.columns
    part: list[bytes] = []
    for row in rows:
        if fields:
            part.append(orjson.dumps({name: columns[name].get(row) for name in fields}))
        else:
            part.append(resource.render(row))
        if len(part) >= 1000:
            yield b"\n".join(part) + b"\n"
            part.clear()
    if part:
        yield b"\n".join(part) + b"\n"


def control_routes(sandbox: Sandbox) -> list[Route]:
    """Build the routes under /_sandbox."""
    control = Control(sandbox)
    table: list[tuple[str, Handler, list[str]]] = [
        ("/_sandbox/health", control.health, ["GET"]),
        ("/_sandbox/reset", control.reset, ["POST"]),
        ("/_sandbox/calls", control.calls, ["GET", "DELETE"]),
        ("/_sandbox/clock", control.clock, ["GET", "POST"]),
        ("/_sandbox/settings", control.settings, ["POST"]),
        ("/_sandbox/faults", control.faults, ["GET", "POST", "DELETE"]),
        ("/_sandbox/advance", control.advance, ["POST"]),
        ("/_sandbox/rows/{resource}", control.rows, ["GET"]),
    ]
    return [Route(path, _guard(handler), methods=methods) for path, handler, methods in table]
