"""Serving: uvicorn with a protocol that lets a fault get at the raw connection."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.app import Sandbox
from sandbox.control import control_routes


class OpenProtocol(H11Protocol):
    """Puts the connection into the request's scope, for faults that reset it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the application for this connection."""
        super().connection_made(transport)
        inner: Any = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope["sandbox.transport"] = transport
            await inner(scope, receive, send)

        self.app = with_transport


class ReadyServer(uvicorn.Server):
    """Says one line when it accepts connections."""

    def __init__(self, config: uvicorn.Config, message: str) -> None:
        super().__init__(config)
        self._message = message

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM and leave with 0: being stopped is no failure here."""
        kinds = (signal.SIGINT, signal.SIGTERM)
        before = {kind: signal.signal(kind, self.handle_exit) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then print the line."""
        await super().startup(sockets)
        if self.started:
            print(self._message, flush=True)


def application(sandbox: Sandbox) -> ASGIApp:
    """Put the API and its control endpoints together."""
    return Starlette(routes=[*control_routes(sandbox), Mount("/", app=sandbox)])


def listen(host: str, port: int) -> socket.socket:
    """Bind the address.

    Raises:
        OSError: when it is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named so that asyncio sees TCP and switches Nagle off: 40 ms an answer.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(512)
    except OSError:
        sock.close()
        raise
    return sock


def serve(app: ASGIApp, sock: socket.socket, message: str) -> None:
    """Serve until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        app,
        http=OpenProtocol,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
    )
    ReadyServer(config, message).run(sockets=[sock])
