"""The network-scale sandbox with another number of students: `… .grown_sandbox 161340`.

Everybody grows with the students; campuses, projects and achievements stay: so do real networks.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from sandbox.app import Options, Sandbox
from sandbox.server import application, listen, serve
from sandbox.world.scale import NETWORK, SCALES

PEOPLE = (
    "students",
    "elsewhere",
    "alumni",
    "staff",
    "externals",
    "piscine_only",
    "coalitions_users",
    "lost_coalitions_users",
)


def main(students: int) -> None:
    """Serve until terminated; the first line names the address, as the sandbox's own does."""
    counts = {
        name: max(1, getattr(NETWORK, name) * students // NETWORK.students) for name in PEOPLE
    }
    SCALES["grown"] = replace(NETWORK, **counts)
    sock = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{sock.getsockname()[1]}"
    message = f"sandbox ready on {address} ({students} students)"
    serve(application(Sandbox(Options(scale="grown"))), sock, message)


if __name__ == "__main__":
    main(int(sys.argv[1]))
