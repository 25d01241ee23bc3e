"""The bundled sandbox as a child process, for a sync without credentials."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from extract.base.errors import MirrorError
from extract.base.settings import ROOT

STARTUP_LINE = "sandbox ready on "


@contextmanager
def running_sandbox(scale: str) -> Iterator[str]:
    """Start `python -m sandbox` on a free port, point this process at it, stop it at the end.

    Yields its address. The sandbox limits nothing here (`--limits fast`), so that a first try
    takes a minute, not twenty.

    Raises:
        MirrorError: It did not start.
    """
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--scale", scale, "--limits", "fast"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith(STARTUP_LINE):
            raise MirrorError(
                "The bundled sandbox did not start; its own message is above. Try `make sandbox` "
                "to see it alone."
            )
        address = line.removeprefix(STARTUP_LINE).split()[0]
        os.environ.update(
            FORTYTWO_API_URL=address, FORTYTWO_CLIENT_ID="sandbox", FORTYTWO_CLIENT_SECRET="sandbox"
        )
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
