"""The machines' log: what is in a line, and how long a line is kept."""

from __future__ import annotations

import gzip
import json
import logging
import os
import subprocess
import sys
import threading
from datetime import date, timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from extract.api.client import Call, FortyTwoClient
from extract.api.quota import Quota
from extract.base import logs
from extract.base.folders import locked
from extract.base.settings import Settings
from extract.load.record import log_call
from ops.upkeep.logs import log_build
from tests.helpers import api, set_variables


def lines() -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(logs.directory().glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def test_an_event_is_one_json_line_with_time_run_and_command() -> None:
    logs.start("run-1", command="sync live")

    logs.event("load", rows={"users": 3}, nothing=None)

    (line,) = lines()
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "event": "load",
        "run": "run-1",
        "command": "sync live",
        "rows": {"users": 3},
    }


def test_without_a_start_events_go_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    logs.event("load", level=logging.ERROR)

    assert not logs.directory().exists()
    assert capfd.readouterr() == ("", "")


def test_only_the_user_may_read_the_files() -> None:
    logs.start()
    logs.event("load")

    (path,) = logs.directory().glob("*.jsonl")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_call_is_logged_with_its_query_and_what_became_of_it() -> None:
    logs.start()
    call = Call("/cursus/21/users", "filter[primary_campus_id]=9", 3, 200, 100, "", 0, 500, 1100)
    batch = Call("/achievements_users", "filter[user_id]=100 ids", 1, 502, 0, "502", 2, 1000, None)

    log_call(call)
    log_call(batch)

    first, second = lines()
    assert first["endpoint"] == "/cursus/21/users"
    assert first["query"] == "filter[primary_campus_id]=9"
    assert (first["page"], first["status"], first["rows"]) == (3, 200, 100)
    assert (first["retries"], first["milliseconds"], first["quota_left"]) == (0, 500, 1100)
    assert (second["level"], second["error"], second["retries"]) == ("warning", "502", 2)


def test_every_call_and_token_of_a_client_is_logged_without_the_secret(
    sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variables(monkeypatch, api(sandbox))
    logs.start("run-1")
    client = FortyTwoClient(Settings.load(), Quota("tests", directory=tmp_path), on_call=log_call)

    client.page("/cursus")

    token, call = lines()
    assert (token["event"], token["refreshes"], token["next_secret"]) == ("token", 1, False)
    assert (call["event"], call["endpoint"], call["status"]) == ("api_call", "/cursus", 200)
    text = json.dumps([token, call])
    assert "sandbox" not in text
    assert client.auth.token() not in text


def test_a_secret_that_slips_into_a_message_is_blotted_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORTYTWO_CLIENT_SECRET", 's-s4t2ud-"quoted"')
    monkeypatch.setenv("PGPASSWORD", "correct horse")
    logs.start()

    logs.event("error", message='refused: s-s4t2ud-"quoted" and correct horse')

    assert lines()[0]["message"] == "refused: *** and ***"


def test_files_are_compressed_after_a_day_and_removed_after_thirty(tmp_path: Path) -> None:
    today = date(2025, 11, 21)
    for age in range(60):
        path = tmp_path / f"fortytwo-{today - timedelta(days=age)}.jsonl"
        path.write_text(json.dumps({"age": age}) + "\n")
    (tmp_path / "notes.txt").write_text("somebody else's")

    logs.tidy(tmp_path, today)

    plain = sorted(path.name for path in tmp_path.glob("*.jsonl"))
    packed = sorted(tmp_path.glob("*.gz"))
    assert plain == ["fortytwo-2025-11-20.jsonl", "fortytwo-2025-11-21.jsonl"]
    assert len(packed) == logs.KEEP_DAYS - 1
    assert packed[0].name == "fortytwo-2025-10-22.jsonl.gz"
    assert json.loads(gzip.decompress(packed[0].read_bytes())) == {"age": 30}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in packed)
    assert (tmp_path / "notes.txt").exists()


def test_files_that_another_process_tidies_are_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "fortytwo-2025-01-01.jsonl"
    path.touch()

    with locked(tmp_path / "tidy"):
        logs.tidy(tmp_path, date(2025, 11, 21))

    assert path.exists()


def test_midnight_turns_to_a_new_file_without_losing_a_line(tmp_path: Path) -> None:
    now = [date(2025, 11, 20)]
    handler = logs.DailyFile(tmp_path, lambda: now[0])
    record = logging.makeLogRecord({"msg": "line"})

    handler.emit(record)
    now[0] = date(2025, 11, 21)
    handler.emit(record)
    handler.close()

    names = sorted(path.name for path in tmp_path.glob("*.jsonl"))
    assert names == ["fortytwo-2025-11-20.jsonl", "fortytwo-2025-11-21.jsonl"]
    assert all(path.read_text() == "line\n" for path in tmp_path.glob("*.jsonl"))


def test_many_processes_and_threads_write_whole_lines() -> None:
    script = (
        "import threading\nfrom extract.base import logs\nlogs.start('other')\n"
        "work = lambda: [logs.event('line', text='x' * 500) for _ in range(100)]\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
    )
    other = subprocess.Popen([sys.executable, "-c", script])
    logs.start("ours")

    def work() -> None:
        for _ in range(100):
            logs.event("line")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert other.wait(30) == 0
    assert sorted(line["run"] for line in lines()) == ["other"] * 400 + ["ours"] * 400


def test_a_folder_that_cannot_be_written_to_is_said_once_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FORTYTWO_LOCAL", str(tmp_path / "file"))

    logs.start()
    logs.event("load")

    assert capfd.readouterr().err.count("No log is written to") == 1


def test_a_full_disk_is_said_once_and_ends_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    logs.start()
    (handler,) = [h for h in logs.logger.handlers if isinstance(h, logs.DailyFile)]
    handler.stream.close()
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    handler.stream = TextIOWrapper(full, write_through=True)

    logs.event("load")
    logs.event("load")

    assert capfd.readouterr().err.count("No space left on device") == 1


def test_models_and_failed_tests_of_a_build_are_logged(tmp_path: Path) -> None:
    logs.start("run-1")
    result = {"execution_time": 0.25, "adapter_response": {"rows_affected": 7}}
    results = [
        {**result, "unique_id": "model.fortytwo_mirror.users", "status": "success"},
        {**result, "unique_id": "test.fortytwo_mirror.unique_users_id.1", "status": "pass"},
        {**result, "unique_id": "test.fortytwo_mirror.no_orphans.2", "status": "fail"},
    ]
    (tmp_path / "run_results.json").write_text(json.dumps({"results": results}))

    log_build(tmp_path, started_at=0)
    os.utime(tmp_path / "run_results.json", (1, 1))
    log_build(tmp_path, started_at=2)

    model, test, build = lines()
    assert (model["event"], model["name"], model["rows"]) == ("model", "users", 7)
    assert (test["event"], test["name"], test["level"]) == ("test", "no_orphans", "error")
    assert (build["event"], build["nodes"], build["tests"]) == ("build", 3, 2)
