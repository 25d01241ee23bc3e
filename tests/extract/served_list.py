"""A real HTTP server with one list that a test scripts: pages, totals, changes in mid-listing."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class ServedList:
    """Rows that every path lists, in this order.

    Attributes:
        before_page: Called with (this listing, how many pages were asked for so far).
        total: What X-Total says of the real total; None leaves the header out.
        delays: Seconds that the so many-th answer takes.
        pause: Seconds after each byte of a page's body.
        seen: Path and headers of each page asked for.
        tokens: Headers of each request for a token.
    """

    rows: list[dict[str, Any]]
    clamp: int = 100
    before_page: Callable[[ServedList, int], None] = lambda listing, asked: None
    total: Callable[[int], int | None] = lambda total: total
    answers: dict[int, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    delays: dict[int, float] = field(default_factory=dict)
    pause: float = 0.0
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    asked: int = 0
    tokens: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, query: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next page."""
        answer, asked = self._answer(query)
        time.sleep(self.delays.get(asked, 0))
        return answer

    def _answer(self, query: dict[str, list[str]]) -> tuple[tuple[int, dict[str, str], bytes], int]:
        with self.lock:
            self.asked += 1
            self.before_page(self, self.asked)
            if self.asked in self.answers:
                return self.answers[self.asked], self.asked
            number = int(query["page[number]"][0])
            size = min(int(query["page[size]"][0]), self.clamp)
            page = self.rows[(number - 1) * size : number * size]
            headers = {"X-Per-Page": str(size), "X-Page": str(number)}
            headers |= {"X-Secondly-RateLimit-Limit": "100000"}
            headers |= {"X-Hourly-RateLimit-Limit": "1000000000"}
            total = self.total(len(self.rows))
            if total is not None:
                headers["X-Total"] = str(total)
            return (200, headers, json.dumps(page).encode()), self.asked


@contextmanager
def serve(listing: ServedList, certificate: Path | None = None) -> Iterator[str]:
    """Serve the listing on a free loopback port; yields the address.

    Args:
        certificate: A file with a key and its certificate: then by TLS.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            listing.tokens.append(dict(self.headers))
            self._send(200, {}, b'{"access_token": "t", "expires_in": 7200}')

        def do_GET(self) -> None:
            listing.seen.append((self.path, dict(self.headers)))
            self._send(*listing.answer(parse_qs(urlsplit(self.path).query)))

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if not (listing.pause and self.command == "GET"):
                self.wfile.write(body)
                return
            with suppress(ConnectionError):
                for place in range(len(body)):
                    self.wfile.write(body[place : place + 1])
                    time.sleep(listing.pause)

        def log_message(self, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        listing.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
        yield listing.url
    finally:
        server.shutdown()
        server.server_close()
