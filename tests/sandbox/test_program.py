"""python -m sandbox as a program."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest
import requests

from tests.helpers import ROOT, run_module

from .conftest import Server


def test_a_taken_port_is_explained_in_a_paragraph_with_exit_2():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_module("sandbox", "--port", str(port))
    assert done.returncode == 2
    assert str(port) in done.stderr
    assert f"--port {port + 1}" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_port_that_does_not_exist_is_wrong_usage():
    done = run_module("sandbox", "--port", "65536")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_help_teaches():
    done = run_module("sandbox", "--help")
    assert done.returncode == 0
    for word in ("--port", "--scale", "--limits", "--latency", "/oauth/token", "/_sandbox/advance"):
        assert word in done.stdout


def test_a_wrong_scale_is_wrong_usage():
    assert run_module("sandbox", "--scale", "galaxy").returncode == 2


def start(*options):
    """A process, and the server that it says is ready."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return process, Server(process.stdout.readline().split()[3])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_says_one_line_and_stops_cleanly(how):
    process, server = start("--limits", "real", "--client-id", "me", "--client-secret", "mine")
    answer = server.token(client_id="me", client_secret="mine")
    assert answer.status_code == 200
    process.send_signal(how)
    rest, _ = process.communicate(timeout=10)
    assert (rest, process.returncode) == ("", 0)


def test_a_hanging_answer_does_not_keep_it_alive():
    process, server = start()
    server.authorize()
    server.fault("hang", path="/v2/campus")
    with pytest.raises(requests.Timeout):
        server.session.get(f"{server.url}/v2/campus", timeout=0.2)
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 0
