"""`python -m extract.embedded start|stop|status`: the embedded server by hand."""

import argparse
import sys

from extract import embedded
from extract.base.errors import MirrorError


def main() -> int:
    """Do what the one argument says and tell where the server is."""
    parser = argparse.ArgumentParser("python -m extract.embedded")
    parser.add_argument("what", choices=("start", "stop", "status"))
    what = parser.parse_args().what
    try:
        if what == "start":
            embedded.start()
        elif what == "stop":
            embedded.stop()
    except MirrorError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    now = embedded.status()
    state = f"running (process {now.process_id})" if now.running else "not running"
    data, socket = now.place.data, now.place.socket.parent
    print(f"The embedded PostgreSQL is {state}: data in {data}, socket in {socket}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
