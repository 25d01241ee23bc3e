"""One small sandbox for the whole folder; tests that change its world get it back fresh."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import requests

from tests.conftest import started_sandbox


@dataclass
class Server:
    """A running sandbox and a session that has a token for it."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def token(self, **fields: str) -> requests.Response:
        """Ask for a token with client credentials in a form."""
        form = {
            "grant_type": "client_credentials",
            "client_id": "sandbox",
            "client_secret": "sandbox",
            **fields,
        }
        return requests.post(f"{self.url}/oauth/token", data=form, timeout=10)

    def authorize(self) -> None:
        """Put a fresh token into the session."""
        bearer = self.token().json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {bearer}"

    def get(self, path: str, **params: Any) -> requests.Response:
        """GET a path under /v2; `filter_kind=` style is not needed: pass {"filter[kind]": …}."""
        query = params.pop("query", None) or params
        return self.session.get(f"{self.url}/v2/{path}", params=query, timeout=30)

    def every(self, path: str, size: int = 100, **query: Any) -> list[dict[str, Any]]:
        """Read every page of a list."""
        rows: list[dict[str, Any]] = []
        for page in range(1, 1000):
            answer = self.get(path, query={**query, "page[number]": page, "page[size]": size})
            assert answer.status_code == 200, answer.text
            found = orjson.loads(answer.content)
            rows += found
            if len(found) < size:
                return rows
        raise AssertionError("a list without end")

    def control(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """POST to a control endpoint."""
        answer = requests.post(f"{self.url}/_sandbox/{path}", json=body or {}, timeout=60)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def rows(self, resource: str, **query: Any) -> list[dict[str, Any]]:
        """Return the truth about a resource."""
        answer = requests.get(f"{self.url}/_sandbox/rows/{resource}", params=query, timeout=120)
        assert answer.status_code == 200, answer.text
        return [orjson.loads(line) for line in answer.content.splitlines()]

    def fault(self, kind: str, **how: Any) -> dict[str, Any]:
        """Set a fault."""
        found: dict[str, Any] = self.control("faults", {"kind": kind, **how})
        return found

    def calls(self) -> Any:
        """Return the record of calls."""
        return requests.get(f"{self.url}/_sandbox/calls", timeout=10).json()

    def clear(self) -> None:
        """Forget faults and calls."""
        requests.delete(f"{self.url}/_sandbox/faults", timeout=10)
        requests.delete(f"{self.url}/_sandbox/calls", timeout=10)


@contextmanager
def served(*options: str) -> Iterator[Server]:
    """A sandbox of one's own."""
    with started_sandbox(*options) as url, requests.Session() as session:
        server = Server(url, session)
        server.authorize()
        yield server


@pytest.fixture(scope="session")
def running() -> Iterator[Server]:
    with served("--next-secret", "next") as server:
        yield server


@pytest.fixture(scope="session")
def network_server() -> Iterator[Server]:
    """A whole network, for tests that only read."""
    with served("--scale", "network") as server:
        yield server


@pytest.fixture
def api(running: Server) -> Iterator[Server]:
    """The shared sandbox, for tests that only read."""
    yield running
    running.clear()
    running.authorize()


@pytest.fixture
def living(running: Server) -> Iterator[Server]:
    """The shared sandbox, for tests that change its world, clock or settings."""
    yield running
    running.control("reset")
    running.authorize()
