"""How jobs ended is kept in a file; what is not well is told to a webhook once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from extract.base import logs
from extract.base.errors import BusyError, MirrorError
from extract.base.query import execute
from extract.base.settings import local_directory
from ops.cli import app
from ops.status import webhook
from ops.status.outcomes import last_outcomes, outcome
from ops.status.reporting import reported
from tests.extract.commands import run
from tests.helpers import ROOT, api, set_variables
from tests.ops.conftest import ran


class Receiver:
    """A webhook: what came, and what it answers."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.url = ""
        self.silent = False
        self.beats = 0


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.beats += 1
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.messages.append(json.loads(body))
            if found.silent:
                time.sleep(1)
                return
            self.send_response(found.statuses.pop(0) if found.statuses else 200)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}/hooks/very-secret-path"
    monkeypatch.setenv("WEBHOOK_URL", found.url)
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def published(ops: Connection) -> None:
    """All is well but for what a test does."""
    ran(ops, "full", "published", 0)


def fail(job: str, message: str = "The disk is full.") -> None:
    with suppress(MirrorError), reported(job):
        raise MirrorError(message)


def succeed(job: str) -> None:
    with reported(job):
        pass


def alerts() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((local_directory() / "alerts.json").read_text())
    return found


def test_a_failure_is_told_once_and_the_recovery_once(receiver: Receiver) -> None:
    for _ in range(3):
        fail("sync full")
    succeed("sync live")
    for _ in range(2):
        succeed("sync full")

    first, second = receiver.messages
    assert (first["event"], first["job"]) == ("failure", "sync full")
    assert "The disk is full." in first["message"] and "`make sync`" in first["message"]
    assert (second["event"], second["job"]) == ("recovery", "sync full")
    assert second["failing_since"] == first["failing_since"]


def test_a_table_that_a_pass_left_out_is_told_once_and_once_when_it_is_read_again(
    receiver: Receiver, ops: Connection
) -> None:
    for left_out in ('{"achievements_users": "It answered 500."}', "{}"):
        execute(ops, "update ops.runs set degraded = %s", (left_out,))
        for _ in range(2):
            succeed("sync full")

    assert [(message["event"], message["job"]) for message in receiver.messages] == [
        ("degraded", "table achievements_users"),
        ("recovery", "table achievements_users"),
    ]


def test_what_cannot_be_looked_at_has_not_recovered(
    receiver: Receiver, ops: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(ops, "update ops.runs set finished_at = now() - interval '30 hours'")
    succeed("check")
    monkeypatch.setenv("PGDATABASE", "no_such_database")
    succeed("check")

    assert [(message["event"], message["job"]) for message in receiver.messages] == [
        ("degraded", "freshness"),
        ("failure", "database"),
    ]


def test_slack_gets_a_sentence(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_FORMAT", "slack")

    fail("backup")
    succeed("backup")

    failed, well = (message["text"] for message in receiver.messages)
    assert "backup fails since" in failed and "The disk is full." in failed
    assert "backup is well again" in well


def test_a_failure_that_stays_is_told_again_after_a_day(receiver: Receiver) -> None:
    fail("sync full")
    told = alerts()
    told["sync full"]["told_at"] = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    (local_directory() / "alerts.json").write_text(json.dumps(told))

    fail("sync full")
    fail("sync full")

    assert [message["event"] for message in receiver.messages] == ["failure", "failure"]


def test_a_message_that_did_not_arrive_is_sent_with_the_next_failure(receiver: Receiver) -> None:
    receiver.statuses = [500, 500]

    fail("sync full")
    assert "sync full" not in alerts()
    fail("sync full")

    assert len(receiver.messages) == 3
    assert "sync full" in alerts()


def test_a_recovery_that_did_not_arrive_is_sent_with_the_next_success(receiver: Receiver) -> None:
    fail("sync full")
    receiver.statuses = [404]
    succeed("sync full")
    succeed("sync full")
    succeed("sync full")

    assert [m["event"] for m in receiver.messages] == ["failure", "recovery", "recovery"]


@pytest.mark.parametrize("kind", ["webhook", "heartbeat"])
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/secret-path", "nonsense-secret-path", "http://[secret-path"]
)
def test_an_address_out_of_reach_costs_nothing_and_is_nowhere(
    url: str, kind: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"{kind.upper()}_URL", url)
    logs.start()

    if kind == "webhook":
        assert not webhook.tell("failure", "sync full", "2025-11-21T01:00:00+00:00")
    else:
        webhook.beat()

    (path,) = logs.directory().glob("*.jsonl")
    text = path.read_text() + "".join(capfd.readouterr())
    assert f'"event":"{kind}"' in text
    assert "secret-path" not in text


def test_a_webhook_that_never_answers_is_left_in_time(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "SECONDS", (0.2, 0.2))
    receiver.silent = True

    assert not webhook.tell("failure", "sync full", "2025-11-21T01:00:00+00:00")


def test_each_good_pass_calls_the_heartbeat_and_nothing_else_does(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTBEAT_URL", receiver.url)
    fail("sync full")
    succeed("backup")
    assert receiver.beats == 0

    succeed("sync full")
    assert receiver.beats == 1


def test_a_run_that_found_the_lock_taken_is_neither_failure_nor_success(
    receiver: Receiver,
) -> None:
    fail("sync live")
    before = last_outcomes()

    with pytest.raises(BusyError), reported("sync live"):
        raise BusyError("Another run holds the lock.")

    assert last_outcomes() == before
    assert len(receiver.messages) == 1


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        ("sync", "ALLOW_DELETES=maybe"),
        ("sync", "STREAMS=everything"),
        ("check", "MAX_DELETE_FRACTION=most"),
        ("restore-drill --file no.dump", ""),
        ("backup --file Makefile", ""),
    ],
)
def test_wrong_usage_is_no_failed_run(
    command: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _, value = setting.partition("=")
    set_variables(monkeypatch, api() | ({name: value} if name else {}))
    monkeypatch.chdir(ROOT)

    assert run(*command.split(), app=app).exit_code == 2
    assert last_outcomes() == {}


def test_an_error_of_our_own_is_a_failure_too_and_stays_an_error() -> None:
    with pytest.raises(ZeroDivisionError), outcome("sync full"):
        raise ZeroDivisionError("division by zero")

    last = last_outcomes()["sync full"]
    assert (last.status, last.message) == ("failed", "ZeroDivisionError: division by zero")


def test_a_secret_in_a_message_is_blotted_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "correct horse")

    fail("sync full", "The server said: correct horse is wrong.")

    assert last_outcomes()["sync full"].message == "The server said: *** is wrong."


def test_a_damaged_file_and_a_read_only_place_end_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_directory().mkdir(exist_ok=True)
    (local_directory() / "jobs.json").write_text("{half")
    fail("sync full")
    assert last_outcomes()["sync full"].status == "failed"

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FORTYTWO_LOCAL", str(tmp_path / "file"))
    succeed("sync full")
    assert last_outcomes() == {}
