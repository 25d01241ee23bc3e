"""The peers of the extraction: dlt as its tutorial has it, and a Singer tap with its target.

The Singer pair gets a virtual environment below `.local/benchmarks`, made when it is first asked
for; where it cannot be installed its line says so.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import urllib.request

from benchmarks.measure import PYTHON, ROOT, Cost, run
from benchmarks.place import Place

SINGER = ROOT / ".local" / "benchmarks" / "singer"
REQUIREMENTS = ROOT / "benchmarks" / "requirements-singer.txt"
PIP_SECONDS = 600


def rest_api(at: Place, address: str) -> Cost:
    """One load by dlt's rest_api source into the schema `peer`."""
    environment = {
        **at.environment,
        "DESTINATION__POSTGRES__CREDENTIALS": _url(at, "postgresql"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    command = [PYTHON, "-m", "benchmarks.rest_api", address, str(at.local / "peer")]
    return run(command, environment)[0]


def singer(at: Place, address: str) -> Cost:
    """One load by the pair; its memory is that of the larger of the two processes."""
    config = at.local / "target.json"
    settings = {
        "sqlalchemy_url": _url(at, "postgresql+psycopg"),
        "default_target_schema": "peer",
        "use_copy": True,
    }
    config.write_text(json.dumps(settings))
    python, target = SINGER / "bin" / "python", SINGER / "bin" / "target-postgres"
    tap = shlex.join([str(python), "-m", "benchmarks.singer_tap", address, _token(address)])
    sink = shlex.join([str(target), "--config", str(config)])
    return run(["bash", "-o", "pipefail", "-c", f"{tap} | {sink} >/dev/null"], at.environment)[0]


def install_singer() -> str:
    """Make the pair's virtual environment unless it is there; returns why it cannot be made."""
    done = SINGER / ".installed"
    if done.is_file() and done.read_text() == REQUIREMENTS.read_text():
        return ""
    print(f"Installing the Singer pair into {SINGER} ...", file=sys.stderr)
    pip = [str(SINGER / "bin" / "pip"), "install", "-q", "-r", str(REQUIREMENTS)]
    try:
        for command in ([PYTHON, "-m", "venv", str(SINGER)], pip):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=PIP_SECONDS)
    except subprocess.CalledProcessError as error:
        return (str(error.stderr).strip().splitlines() or ["pip failed"])[-1][:120]
    except subprocess.TimeoutExpired:
        return f"pip took more than {PIP_SECONDS} s"
    done.write_text(REQUIREMENTS.read_text())
    return ""


def _url(at: Place, driver: str) -> str:
    words = dict(word.split("=", 1) for word in at.address().split())
    return (
        f"{driver}://{words['user']}:none@localhost:{words['port']}/{words['dbname']}"
        f"?host={words['host']}"
    )


def _token(address: str) -> str:
    form = b"grant_type=client_credentials&client_id=sandbox&client_secret=sandbox"
    request = urllib.request.Request(f"{address}/oauth/token", form, {"User-Agent": "peer"})
    with urllib.request.urlopen(request) as response:
        return str(json.load(response)["access_token"])
