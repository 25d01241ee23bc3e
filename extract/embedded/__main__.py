"""`python -m extract.embedded start|stop|status`: the embedded server by hand."""

import sys

from extract import embedded
from extract.base.errors import MirrorError

USAGE = "usage: python -m extract.embedded start|stop|status"


def main() -> int:
    """Do what the one argument says and tell where the server is."""
    if {"-h", "--help"}.intersection(sys.argv):
        print(USAGE)
        return 0
    if len(sys.argv) != 2 or sys.argv[1] not in ("start", "stop", "status"):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        if sys.argv[1] == "start":
            embedded.start()
        elif sys.argv[1] == "stop":
            embedded.stop()
    except MirrorError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    now = embedded.status()
    state = f"running (process {now.process_id})" if now.running else "not running"
    print(f"The embedded PostgreSQL is {state}: data in {now.data}, socket in {now.socket.parent}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
